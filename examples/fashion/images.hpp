// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/core/error.hpp>

namespace fashion {

/// Grey pictures of 28 x 28 and what each shows, one of ten kinds of clothing.
struct Images {
  static constexpr std::int64_t pixels = 28 * 28, kinds = 10;

  std::vector<unsigned char> bytes;  ///< pixels of one picture after the other
  std::vector<unsigned char> kind;

  std::int64_t size() const { return static_cast<std::int64_t>(kind.size()); }
  /// In units of about the standard deviation, around about the mean, of all pixels of all pictures.
  double pixel(std::int64_t image, std::int64_t at) const {
    return (bytes[static_cast<std::size_t>(image * pixels + at)] / 255.0 - 0.286) / 0.353;
  }
};

/// The bytes of a packed file.
inline std::vector<unsigned char> unpack(const std::string& path) {
  if (!std::filesystem::exists(path))
    throw tpx::Error("fashion_mnist: there is no '" + path +
                     "': install the package dataset-fashion-mnist, or name its folder with --data");
  if (path.find('\'') != std::string::npos)
    throw tpx::Error("fashion_mnist: the path \"" + path + "\" has a quote");
  std::FILE* const pipe = popen(("gzip -dc '" + path + "'").c_str(), "r");
  if (pipe == nullptr) throw tpx::Error("fashion_mnist: no shell could be started to run gzip");
  std::vector<unsigned char> bytes;
  std::array<unsigned char, 65536> piece;
  for (std::size_t n; (n = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
    bytes.insert(bytes.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(n));
  const bool whole = std::ferror(pipe) == 0;
  const int status = pclose(pipe);
  if (!whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw tpx::Error("fashion_mnist: '" + path + "' cannot be unpacked");
  return bytes;
}

/// The elements of an IDX file of bytes: two zeros, 8 for bytes, the number of dims, each dim as a big-endian
/// number of 4 bytes, then the elements.
inline std::vector<unsigned char> read_idx(const std::string& path, const std::vector<std::int64_t>& inner) {
  std::vector<unsigned char> bytes = unpack(path);
  const std::size_t head = 4 + 4 * (1 + inner.size());
  const auto number = [&](std::size_t at) {
    std::int64_t n = 0;
    for (std::size_t i = at; i < at + 4; ++i) n = n * 256 + bytes[i];
    return n;
  };
  bool good =
      bytes.size() > head && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8 && bytes[3] == 1 + inner.size();
  std::int64_t count = good ? number(4) : 0;
  for (std::size_t d = 0; good && d < inner.size(); ++d) {
    good = number(8 + 4 * d) == inner[d];
    count *= inner[d];
  }
  if (!good || bytes.size() != head + static_cast<std::size_t>(count))
    throw tpx::Error("fashion_mnist: '" + path + "' is no file of these pictures or labels");
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(head));
  return bytes;
}

/// Reads pictures and labels on the first rank and gives them to all.
///
/// @param  part  "train" or "t10k"
/// @comm   one all_reduce of 1 i32, broadcasts of 1 i64, of the pictures and of the labels
/// @throws tpx::Error on every rank, with the first rank's complaint
template <class World>
Images load_images(const World& world, const std::string& folder, const std::string& part) {
  Images images;
  std::string complaint;
  if (world.rank() == 0) {
    try {
      images.bytes = read_idx(folder + "/" + part + "-images-idx3-ubyte.gz", {28, 28});
      images.kind = read_idx(folder + "/" + part + "-labels-idx1-ubyte.gz", {});
      if (static_cast<std::int64_t>(images.bytes.size()) != images.size() * Images::pixels)
        throw tpx::Error("fashion_mnist: there are more labels than pictures, or less, in '" + folder + "'");
    } catch (const std::exception& error) {
      complaint = error.what();
    }
  }
  tpx::comm::throw_together(world, complaint);
  auto count = images.size();
  world.broadcast(&count, 1, tpx::Element::i64, 0);
  images.kind.resize(static_cast<std::size_t>(count));
  images.bytes.resize(static_cast<std::size_t>(count * Images::pixels));
  world.broadcast(images.bytes.data(), count * Images::pixels, tpx::Element::u8, 0);
  world.broadcast(images.kind.data(), count, tpx::Element::u8, 0);
  return images;
}

}  // namespace fashion
