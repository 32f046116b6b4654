// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/mapped_file.hpp>
#include <tpx/io/tensor_file.hpp>
#include <tpx/layout/tensor_part.hpp>

/// The files of a checkpoint. A part, of one rank: the parts' elements one after the other; a text, a line for
/// each with its place and checksum, the name followed by '#' and a number where ranks store values of their
/// own; the length and the checksum of the text and 8 letters.
namespace tpx::detail {

inline constexpr std::string_view checkpoint_magic = "tpxpart1";

/// A sum over words of 8 bytes that no change of one word leaves as it was.
inline std::uint64_t checksum(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0x9e3779b97f4a7c15ull ^ bytes.size();
  const auto mix = [&](std::uint64_t word) {
    sum = (sum ^ word) * 0xff51afd7ed558ccdull;
    sum ^= sum >> 32;
  };
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    mix(word);
  }
  std::uint64_t word = 0;
  if (at < bytes.size()) std::memcpy(&word, bytes.data() + at, bytes.size() - at);
  mix(word);
  return sum;
}
inline std::uint64_t checksum(std::string_view text) { return checksum(std::as_bytes(std::span(text))); }

[[noreturn]] inline void fail_on(const std::string& path, const char* what, int error) {
  fail("tpx::checkpoint: '" + path + "' " + what + ": " + std::generic_category().message(error));
}

/// A file being written; on the disk only after sync().
class OutputFile {
 public:
  explicit OutputFile(std::string path)
      : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail_on(path_, "cannot be made", errno);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    if (file_ >= 0) ::close(file_);  // was not needed any more
  }

  std::int64_t size() const { return size_; }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_on(path_, "cannot be written", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      size_ += n;
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Returns when the disk has it.
  void sync() {
    if (::fsync(file_) != 0) fail_on(path_, "cannot be written", errno);
    if (::close(std::exchange(file_, -1)) != 0) fail_on(path_, "cannot be written", errno);
  }

 private:
  std::string path_;
  int file_;
  std::int64_t size_ = 0;
};

/// Makes what was renamed in a folder last.
inline void sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail_on(path, "cannot be opened", errno);
  const int result = ::fsync(folder);
  const int error = errno;
  ::close(folder);
  if (result != 0) fail_on(path, "cannot be written", error);
}

/// Writes one rank's part.
class PartWriter {
 public:
  explicit PartWriter(const std::string& path) : file_(path) {}

  /// @param bytes  part.count elements
  void add(const TensorPart& part, std::span<const std::byte> bytes) {
    TPX_EXPECTS(part.name.find_first_of(" \t\n\r#") == std::string::npos && !part.name.empty(), part.name,
                "the name of a stored tensor has no spaces and no '#'");
    std::ostringstream line;
    line << part.name;
    if (part.replicas > 1) line << '#' << part.replica;
    line << ' ' << tpx::name(part.element) << ' ' << part.global.ndim();
    for (int d = 0; d < part.global.ndim(); ++d)
      line << ' ' << part.global[d] << ' ' << part.at(d) << ' ' << part.local[d];
    line << ' ' << part.begin << ' ' << part.count << ' ' << file_.size() << ' ' << checksum(bytes) << '\n';
    index_ += line.str();
    file_.write(bytes);
  }

  /// The file is whole and on the disk. Its size and the checksum of its index.
  std::pair<std::int64_t, std::uint64_t> finish() {
    const std::uint64_t sum = checksum(index_), length = index_.size();
    file_.write(index_);
    file_.write(std::string_view(reinterpret_cast<const char*>(&length), sizeof length));
    file_.write(std::string_view(reinterpret_cast<const char*>(&sum), sizeof sum));
    file_.write(checkpoint_magic);
    file_.sync();
    return {file_.size(), sum};
  }

 private:
  OutputFile file_;
  std::string index_;
};

/// A part as it lies in a file.
struct StoredPart {
  TensorPart part;
  std::span<const std::byte> bytes;
  std::uint64_t sum = 0;
  std::string path;
  bool checked = false;
};

/// The element of a name; refuses what is none.
inline Element element_named(const std::string& text, const std::string& path) {
  for (const Element e : all_elements)
    if (text == tpx::name(e)) return e;
  fail("tpx::checkpoint: '" + path + "' has elements of an unknown kind '" + text + "'");
}

/// Reads what a part's file says it has, and touches no element yet.
/// @throws tpx::Error where it is not of this size and checksum
inline std::vector<StoredPart> read_part_index(const std::string& path, std::span<const std::byte> bytes,
                                               std::uint64_t size, std::uint64_t sum) {
  constexpr std::size_t tail = 24;
  if (bytes.size() != size)
    fail("tpx::checkpoint: '" + path + "' has " + std::to_string(bytes.size()) + " bytes, stored were " +
         std::to_string(size));
  std::uint64_t length = 0, told = 0;
  if (bytes.size() >= tail) {
    std::memcpy(&length, bytes.data() + bytes.size() - tail, 8);
    std::memcpy(&told, bytes.data() + bytes.size() - tail + 8, 8);
  }
  const auto whole = [&] {
    if (bytes.size() < tail || length > bytes.size() - tail || told != sum) return false;
    const std::byte* const letters = bytes.data() + bytes.size() - checkpoint_magic.size();
    return std::memcmp(letters, checkpoint_magic.data(), checkpoint_magic.size()) == 0 &&
           checksum(bytes.subspan(bytes.size() - tail - length, length)) == sum;
  };
  if (!whole()) fail("tpx::checkpoint: the index of '" + path + "' is not as it was stored");
  const std::span<const std::byte> data = bytes.first(bytes.size() - tail - length);
  std::istringstream text(std::string(reinterpret_cast<const char*>(data.data() + data.size()), length));
  std::vector<StoredPart> parts;
  for (std::string line; std::getline(text, line);) {
    std::istringstream in(line);
    StoredPart stored;
    TensorPart& part = stored.part;
    std::string element;
    int ndim = 0;
    std::uint64_t at = 0;
    in >> part.name >> element >> ndim;
    bool good = in && ndim >= 0 && ndim <= Spec::max_dims;
    if (const auto mark = part.name.find('#'); mark != std::string::npos) {
      std::istringstream number(part.name.substr(mark + 1));
      good = good && (number >> part.replica) && part.replica >= 0;
      part.name.resize(mark);
    }
    for (int d = 0; good && d < ndim; ++d) {
      std::int64_t global = 0, local = 0;
      good = static_cast<bool>(in >> global >> part.offset[static_cast<std::size_t>(d)] >> local);
      part.global.push_back(global);
      part.local.push_back(local);
    }
    good = good && (in >> part.begin >> part.count >> at >> stored.sum);
    if (!good)
      fail("tpx::checkpoint: the index of '" + path + "' has a line that is none: " + detail::quoted(line));
    part.element = element_named(element, path);
    const std::uint64_t count =
        static_cast<std::uint64_t>(part.count) * static_cast<std::uint64_t>(element_size(part.element));
    if (at > data.size() || count > data.size() - at)
      fail("tpx::checkpoint: '" + path + "' has no " + detail::quoted(part.name) + " where its index says so");
    stored.bytes = data.subspan(at, count);
    stored.path = path;
    parts.push_back(std::move(stored));
  }
  return parts;
}

}  // namespace tpx::detail
