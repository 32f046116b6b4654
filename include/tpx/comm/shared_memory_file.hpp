// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tpx::comm::detail {

/// A file's pages in this process: once, so that ranks that are threads see the same addresses, and a thread
/// sanitizer what they do to one another.
class SharedPages {
 public:
  SharedPages(void* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;
  ~SharedPages() {
    if (::munmap(memory_, bytes_) != 0) std::fputs("tpx::comm::SharedMemory: munmap failed\n", stderr);
  }

  void* memory() const { return memory_; }

  /// Those of the file with this number; null where they could not be mapped.
  static std::shared_ptr<SharedPages> of(std::int64_t number, int file, std::size_t bytes) {
    static std::mutex mutex;
    // A list: few files are mapped at once, and hipcc 5.2 crashes on a map of these.
    static std::vector<Known> known;
    const std::lock_guard<std::mutex> held(mutex);
    std::erase_if(known, [](const Known& each) { return each.pages.expired(); });
    for (const Known& each : known)
      if (each.number == number)
        if (std::shared_ptr<SharedPages> pages = each.pages.lock()) return pages;
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) return nullptr;
    auto pages = std::make_shared<SharedPages>(memory, bytes);
    known.push_back({number, pages});
    return pages;
  }

 private:
  struct Known {
    std::int64_t number;
    std::weak_ptr<SharedPages> pages;
  };

  void* memory_;
  std::size_t bytes_;
};

/// Memory that several processes map, without a name: it is gone with the last of them, however they end.
///
/// Each rank holds a lock on the byte of its number. The kernel lifts it when the process ends, also by a
/// signal and before anybody has collected it, so the lock tells the living from the dead.
/// What fails is told in a sentence; empty where nothing did.
class SharedFile {
 public:
  SharedFile() = default;
  SharedFile(SharedFile&& other) noexcept
      : file_(std::exchange(other.file_, -1)), number_(other.number_), pages_(std::move(other.pages_)) {}
  SharedFile& operator=(SharedFile&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(number_, other.number_);
    std::swap(pages_, other.pages_);
    return *this;
  }
  ~SharedFile() {
    if (file_ >= 0 && ::close(file_) != 0) std::fputs("tpx::comm::SharedMemory: close failed\n", stderr);
  }

  /// Makes `bytes` of zeros.
  std::string create(std::size_t bytes) {
    file_ = ::memfd_create("tpx", MFD_CLOEXEC);
    if (file_ < 0) return failed("memfd_create");
    if (::ftruncate(file_, static_cast<off_t>(bytes)) != 0) return failed("ftruncate");
    struct stat about {};
    if (::fstat(file_, &about) != 0) return failed("fstat");
    return map(static_cast<std::int64_t>(about.st_ino), bytes);
  }

  /// How another process finds this file.
  struct Address {
    std::int64_t process = 0;
    std::int64_t descriptor = -1;
    std::int64_t number = 0;  ///< of the file, on this node
  };
  Address address() const { return {::getpid(), file_, number_}; }

  /// Maps what another process created.
  std::string open(const Address& address, std::size_t bytes) {
    const std::string path =
        "/proc/" + std::to_string(address.process) + "/fd/" + std::to_string(address.descriptor);
    file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (file_ < 0) return failed("open of " + path) + "; the ranks of a node see one another in /proc";
    struct stat about {};
    if (::fstat(file_, &about) != 0) return failed("fstat");
    // Processes that are numbered apart, as in two containers, may mean different ones by a number.
    if (!S_ISREG(about.st_mode) || static_cast<std::int64_t>(about.st_ino) != address.number ||
        about.st_size != static_cast<off_t>(bytes))
      return "tpx::comm::SharedMemory: " + path +
             " is another file; the ranks of a node see one another in /proc";
    return map(address.number, bytes);
  }

  /// Says that `rank` is this process, until it ends.
  std::string claim(int rank) {
    struct flock lock = byte_of(rank);
    return ::fcntl(file_, F_SETLK, &lock) == 0 ? std::string() : failed("fcntl(F_SETLK)");
  }

  /// Whether another process has claimed the rank and lives. True too where the kernel does not answer.
  bool claimed(int rank) const {
    struct flock lock = byte_of(rank);
    return ::fcntl(file_, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
  }

  void* memory() const { return pages_ == nullptr ? nullptr : pages_->memory(); }

 private:
  static struct flock byte_of(int rank) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = rank;
    lock.l_len = 1;
    return lock;
  }

  static std::string failed(const std::string& what) {
    return "tpx::comm::SharedMemory: " + what + " failed: " + std::strerror(errno);
  }

  std::string map(std::int64_t number, std::size_t bytes) {
    number_ = number;
    pages_ = SharedPages::of(number, file_, bytes);
    return pages_ != nullptr ? std::string() : failed("mmap of " + std::to_string(bytes) + " bytes");
  }

  int file_ = -1;
  std::int64_t number_ = 0;
  std::shared_ptr<SharedPages> pages_;
};

}  // namespace tpx::comm::detail
