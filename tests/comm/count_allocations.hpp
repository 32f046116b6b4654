// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

/// How many times this program has called operator new so far, on any thread.
long allocations();
