// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/core/error.hpp>

namespace gpt {

/// A text as numbers of its distinct bytes, in the order of the bytes. Its last tenth is held out.
class Text {
 public:
  explicit Text(const std::string& bytes) {
    std::array<bool, 256> seen{};
    for (const char c : bytes) seen[byte(c)] = true;
    std::array<std::int32_t, 256> id{};
    for (std::size_t b = 0; b < seen.size(); ++b) {
      if (!seen[b]) continue;
      id[b] = static_cast<std::int32_t>(character_.size());
      character_.push_back(static_cast<char>(b));
    }
    ids_.reserve(bytes.size());
    for (const char c : bytes) ids_.push_back(id[byte(c)]);
    held_out_ = size() - size() / 10;
    for (const char c : bytes) fingerprint_ = (fingerprint_ ^ byte(c)) * 0x100000001b3u;  // FNV-1a
  }

  std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()); }
  /// Where the held-out part begins.
  std::int64_t held_out() const { return held_out_; }
  std::int32_t operator[](std::int64_t i) const { return ids_[static_cast<std::size_t>(i)]; }

  /// Number of distinct bytes.
  std::int64_t classes() const { return static_cast<std::int64_t>(character_.size()); }
  /// That number, rounded up to a multiple that 1, 2, 3, 4, 6, 8 ... ranks can split: the same model for all.
  std::int64_t vocabulary() const { return (classes() + 47) / 48 * 48; }

  /// What tells it from another text.
  std::string describe() const {
    char text[96];
    std::snprintf(text, sizeof text, "%lld bytes of %lld kinds, fingerprint %016llx",
                  static_cast<long long>(size()), static_cast<long long>(classes()),
                  static_cast<unsigned long long>(fingerprint_));
    return text;
  }

  char character(std::int32_t id) const { return character_[static_cast<std::size_t>(id)]; }
  /// The number of a byte; 0 where the text has none of it.
  std::int32_t id_of(char c) const {
    const std::size_t at = character_.find(c);
    return at == std::string::npos ? 0 : static_cast<std::int32_t>(at);
  }

 private:
  static std::size_t byte(char c) { return static_cast<unsigned char>(c); }

  std::string character_;  // by id
  std::vector<std::int32_t> ids_;
  std::int64_t held_out_ = 0;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325u;
};

/// The whole file.
inline std::string read_file(const std::string& name) {
  std::error_code none;
  if (std::filesystem::is_directory(name, none))
    throw tpx::Error("gpt_train: the text '" + name + "' is a directory");
  std::ifstream file(name, std::ios::binary);
  if (!file) throw tpx::Error("gpt_train: the text '" + name + "' cannot be opened");
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) throw tpx::Error("gpt_train: the text '" + name + "' cannot be read");
  return bytes;
}

/// The King James Bible, from the program of the distribution's package bible-kjv.
inline std::string read_bible() {
  std::string bytes;
  std::FILE* const pipe = popen("PATH=$PATH:/usr/games bible -f Gen1:1-Rev22:21 2>/dev/null", "r");
  if (pipe == nullptr) throw tpx::Error("gpt_train: no shell could be started to run the program `bible`");
  std::array<char, 65536> piece;
  for (std::size_t n; (n = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;) bytes.append(piece.data(), n);
  const bool whole = std::ferror(pipe) == 0;
  const int status = pclose(pipe);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == 127)
    throw tpx::Error(
        "gpt_train: the program `bible`, of the package bible-kjv, is not installed; install it, or name a "
        "text with --text FILE");
  if (!whole || code != 0)
    throw tpx::Error("gpt_train: the program `bible` failed; name a text with --text FILE");
  return bytes;
}

/// Reads the text on the first rank and gives it to all.
///
/// @param  needed  bytes that the held-out tenth has at least
/// @comm   one all_reduce of 1 i32, broadcasts of 1 i64 and of the text
/// @throws tpx::Error on every rank, with the first rank's complaint
template <class World>
Text load_text(const World& world, const std::string& file, std::int64_t needed) {
  std::string bytes, complaint;
  if (world.rank() == 0) {
    const std::string name = file.empty() ? "the Bible" : "'" + file + "'";
    try {
      bytes = file.empty() ? read_bible() : read_file(file);
      if (bytes.empty()) throw tpx::Error("gpt_train: the text " + name + " is empty");
      if (static_cast<std::int64_t>(bytes.size()) / 10 < needed)
        throw tpx::Error("gpt_train: the text " + name + " is too short: it has " +
                         std::to_string(bytes.size()) +
                         " bytes, and of the last tenth, which is held out, at least " +
                         std::to_string(needed) + " are needed, one more than the context");
    } catch (const std::exception& error) {
      complaint = error.what();
    }
  }
  tpx::comm::throw_together(world, complaint);
  auto length = static_cast<std::int64_t>(bytes.size());
  world.broadcast(&length, 1, tpx::Element::i64, 0);
  bytes.resize(static_cast<std::size_t>(length));
  world.broadcast(bytes.data(), length, tpx::Element::u8, 0);
  return Text(bytes);
}

}  // namespace gpt
