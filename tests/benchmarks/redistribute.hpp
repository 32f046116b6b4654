// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/comm/mpi.hpp>

#include "medians.hpp"

namespace tpx::benchmark {

/// A matrix of f32 from Shard<0> to Shard<1> through shared memory, `bytes` on each rank, over a memcpy of as
/// much on every rank at once.
Medians redistribute_over_memcpy(const comm::Mpi& mpi, std::int64_t bytes, int calls, int pairs);

}  // namespace tpx::benchmark
