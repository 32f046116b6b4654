// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <tpx/core/bfloat16.hpp>
#include <tpx/core/element.hpp>
#include <tpx/core/error.hpp>
#include <tpx/io/dequantize.hpp>
#include <tpx/io/half.hpp>
#include <tpx/io/tensor_file.hpp>
#include <tpx/layout/distribution.hpp>

/// From the bytes of a file to the numbers of a rank's shard.
namespace tpx {

static_assert(std::endian::native == std::endian::little,
              "tpx/io: the files and the machine are little-endian");

namespace detail {

/// Whether a T is made of the stored elements by at most a rounding: real ones make float, double and bfloat16,
/// integers make integers that hold all of theirs.
template <class T>
constexpr bool makes(Dtype dtype) {
  if constexpr (is_floating_v<T>) return is_real(dtype);
  switch (dtype) {
    case Dtype::i64:
      return sizeof(T) == 8;
    case Dtype::i32:
    case Dtype::i16:
    case Dtype::i8:
      return sizeof(T) >= 4;
    case Dtype::u8:
    case Dtype::boolean:
      return true;
    default:
      return false;
  }
}

template <class Stored, class T, class Convert>
void decode_each(const std::byte* from, std::int64_t count, T* to, Convert convert) {
  for (std::int64_t i = 0; i < count; ++i) {
    Stored stored;
    // A tensor need not lie at a multiple of its elements' size.
    std::memcpy(&stored, from + i * std::int64_t{sizeof stored}, sizeof stored);
    to[i] = static_cast<T>(convert(stored));
  }
}

template <class T>
void decode_blocks(Dtype dtype, const std::byte* from, std::int64_t first, std::int64_t count, T* to) {
  const DtypeFormat& format = format_of(dtype);
  float values[largest_block];
  const std::int64_t end = first + count;
  for (std::int64_t at = first; at < end;) {
    const std::int64_t block = at / format.block, start = block * format.block;
    const std::int64_t stop = std::min(end, start + format.block);
    dequantize(dtype, from + block * format.bytes, values);
    to = std::transform(values + (at - start), values + (stop - start), to,
                        [](float v) { return static_cast<T>(v); });
    at = stop;
  }
}

/// Elements first, ..., first + count - 1 of those that `from` stores.
/// @pre makes<T>(dtype)
template <class T>
void decode(Dtype dtype, const std::byte* from, std::int64_t first, std::int64_t count, T* to) {
  const auto same = [](auto value) { return value; };
  const std::byte* start = from + first * format_of(dtype).bytes;  // where a block is one element
  switch (dtype) {
    case Dtype::f64:
      return decode_each<double>(start, count, to, same);
    case Dtype::f32:
      return decode_each<float>(start, count, to, same);
    case Dtype::f16:
      return decode_each<std::uint16_t>(start, count, to, float_from_half);
    case Dtype::bf16:
      return decode_each<bfloat16>(start, count, to, same);
    case Dtype::i64:
      return decode_each<std::int64_t>(start, count, to, same);
    case Dtype::i32:
      return decode_each<std::int32_t>(start, count, to, same);
    case Dtype::i16:
      return decode_each<std::int16_t>(start, count, to, same);
    case Dtype::i8:
      return decode_each<std::int8_t>(start, count, to, same);
    case Dtype::u8:
      return decode_each<std::uint8_t>(start, count, to, same);
    case Dtype::boolean:
      return decode_each<std::uint8_t>(start, count, to, [](std::uint8_t v) { return v != 0; });
    default:
      return decode_blocks(dtype, from, first, count, to);
  }
}

}  // namespace detail

/// Reads this rank's part of a tensor out of a file, row-major, and touches no other byte of it (of a
/// quantised one: no other block).
///
///   tensor  F16[m,n]     d  f32[m@tp,n]     to  (m/p, n)
///
/// @tparam T  float, double or bfloat16 where the file has real numbers, else an integer that holds all the
///            file's
/// @pre    d.global() is the tensor's shape, to.size() == d.local().count()
/// @post   to[i] is the value at the global index of local element i, exact or, where T has fewer bits, rounded
/// @comm   none
/// @throws tpx::Error naming the tensor
template <class T>
void read_shard(const FileTensor& tensor, const Distribution& d, std::span<T> to) {
  static_assert(
      detail::is_element_v<T>,
      "tpx::read_shard: an element is float, double, bfloat16, a signed 32- or 64-bit integer, or unsigned "
      "char");
  const auto refuse = [&](const std::string& rule) {
    fail("tpx::read_shard: tensor " + detail::quoted(tensor.name) + " is " + tensor.describe() + "; " + rule);
  };
  if (!detail::makes<T>(tensor.dtype)) refuse(std::string("it cannot be read as ") + name(element_v<T>));
  if (!(tensor.shape == d.global())) refuse("expected " + print(name(element_v<T>), d.global(), {}, {}));
  const Shape local = d.local();
  TPX_EXPECTS(static_cast<std::int64_t>(to.size()) == local.count(), to.size(), local.count());
  if (to.empty()) return;

  // Dims from `run` on lie in one piece in the file: all of them but the first are whole.
  const int ndim = local.ndim();
  int run = ndim;
  std::int64_t stride[Spec::max_dims + 1];  // in the file, of each dim; last: 1
  stride[ndim] = 1;
  while (run > 0 && (run == ndim || local[run] == tensor.shape[run])) {
    --run;
    stride[run] = run + 1 == ndim ? 1 : stride[run + 1] * tensor.shape[run + 1];
  }
  for (int dim = run - 1; dim >= 0; --dim) stride[dim] = stride[dim + 1] * tensor.shape[dim + 1];
  const std::int64_t length = local.count(run, ndim);

  std::int64_t first = 0;
  for (int dim = 0; dim < ndim; ++dim) first += d.piece(dim).offset * stride[dim];
  for (std::int64_t done = 0; done < static_cast<std::int64_t>(to.size()); done += length) {
    std::int64_t rest = done / length, at = first;
    for (int dim = run - 1; dim >= 0; --dim) {
      at += rest % local[dim] * stride[dim];
      rest /= local[dim];
    }
    detail::decode(tensor.dtype, tensor.bytes.data(), at, length, to.data() + done);
  }
}

/// The same, into memory of its own.
template <class T>
std::vector<T> read_shard(const FileTensor& tensor, const Distribution& d) {
  std::vector<T> values(static_cast<std::size_t>(d.local().count()));
  read_shard(tensor, d, std::span<T>(values));
  return values;
}

/// The whole tensor, row-major.
template <class T>
std::vector<T> read_whole(const FileTensor& tensor) {
  return read_shard<T>(tensor, Distribution(tensor.shape, {}, {}));
}

}  // namespace tpx
