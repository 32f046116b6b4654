// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The layout floor alone: the algebra of layouts, plans, pictures.
#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <tpx/layout/parse.hpp>
#include <tpx/layout/picture_svg.hpp>
#include <tpx/layout/plan_text.hpp>
#include <tpx/layout/refusal.hpp>

int main() { return 0; }
