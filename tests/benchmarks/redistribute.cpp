// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <Kokkos_Core.hpp>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "redistribute.hpp"

namespace tpx::benchmark {

Medians redistribute_over_memcpy(const comm::Mpi& mpi, std::int64_t bytes, int calls, int pairs) {
  using axes::tp;
  if (!Kokkos::is_initialized()) Kokkos::initialize();
  Medians found;
  {
    const comm::SharedMemory world = comm::SharedMemory::over(mpi);
    const auto mesh = make_mesh<tp>(world);
    const std::int64_t p = world.size();
    const std::int64_t elements = p * bytes / static_cast<std::int64_t>(sizeof(float));
    const std::int64_t n = static_cast<std::int64_t>(std::sqrt(static_cast<double>(elements))) / p * p;
    const std::int64_t mine = n * n / p;
    auto rows = zeros<float>(mesh, layout<Shard<0, tp>>, {n, n});
    std::vector<float> from(static_cast<std::size_t>(mine)), to(from.size());
    float next = 0;
    const auto rewrite = [&](float* data) {
      next += 0.25F;
      for (std::int64_t i = 0; i < mine; ++i)
        data[i] = next + static_cast<float>((world.rank() * mine + i) % 8192);
      world.barrier();
    };
    const auto one = [&] { return redistribute<Shard<1, tp>>(rows); };
    rewrite(rows.data());
    {
      const auto columns = one();
      for (std::int64_t i = 0; i < mine; ++i) {
        const std::int64_t global = i / (n / p) * n + world.rank() * (n / p) + i % (n / p);
        if (columns.data()[i] != next + static_cast<float>(global % 8192))
          throw std::runtime_error("the redistribution is wrong");
      }
    }
    std::vector<double> times(static_cast<std::size_t>(calls));
    found = median_pairs(mpi.native(), times, pairs, Timed{[&] { rewrite(rows.data()); }, [&] { one(); }},
                         Timed{[&] { rewrite(from.data()); },
                               [&] { std::memcpy(to.data(), from.data(), to.size() * sizeof(float)); }});
  }
  Kokkos::finalize();
  return found;
}

}  // namespace tpx::benchmark
