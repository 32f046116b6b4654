// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <tpx/core/error.hpp>

namespace tpx {

/// A file's bytes as memory, read when they are touched and not before; ranks on one machine share them.
///
/// @throws tpx::Error with the path and the system's words where the path is missing, not to be read, not a
///         regular file, or empty
/// @pre    nobody shortens the file while it is mapped: to touch what is gone ends the program
class MappedFile {
 public:
  explicit MappedFile(std::string path) : path_(std::move(path)) {
    // Without O_NONBLOCK a pipe would be waited for, before it could be told from a file.
    const Descriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.number < 0) refuse("cannot be opened", errno);
    struct stat status {};
    if (::fstat(file.number, &status) != 0) refuse("cannot be examined", errno);
    if (S_ISDIR(status.st_mode)) fail("tpx::MappedFile: '" + path_ + "' is a directory, not a file");
    if (!S_ISREG(status.st_mode)) fail("tpx::MappedFile: '" + path_ + "' is not a regular file");
    if (status.st_size == 0) fail("tpx::MappedFile: '" + path_ + "' is empty");
    size_ = static_cast<std::size_t>(status.st_size);
    void* start = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (start == MAP_FAILED) refuse("cannot be mapped", errno);
    start_ = static_cast<const std::byte*>(start);
  }

  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile(std::move(other)).swap(*this);
    return *this;
  }
  ~MappedFile() {
    // Fails only where the range is not one that was mapped.
    if (start_ != nullptr) ::munmap(const_cast<std::byte*>(start_), size_);
  }

  const std::string& path() const { return path_; }
  /// Valid while this object, or the one it was moved to, lives.
  std::span<const std::byte> bytes() const { return {start_, size_}; }

 private:
  struct Descriptor {
    int number;
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
  };

  void swap(MappedFile& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(start_, other.start_);
    std::swap(size_, other.size_);
  }
  [[noreturn]] void refuse(const char* what, int error) const {
    fail("tpx::MappedFile: '" + path_ + "' " + what + ": " + std::generic_category().message(error));
  }

  std::string path_;
  const std::byte* start_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tpx
