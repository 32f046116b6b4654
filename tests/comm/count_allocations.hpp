// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

/// How many times this program has called operator new so far, of any form and on any thread: containers,
/// strings, functions. What a library takes by malloc is its own affair, and that of Kokkos the pool counts.
long allocations();
