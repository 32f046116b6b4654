// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what a Recording wraps is a communicator
// expect: tpx::comm::Recording: what it wraps must be a Communicator
#include <tpx/comm/recording.hpp>
#include <tpx/comm/self.hpp>

#ifdef TPX_MUST_NOT_COMPILE
using Wrapped = int;
#else
using Wrapped = tpx::comm::Self;
#endif

int main() { return sizeof(tpx::comm::Recording<Wrapped>) > 0 ? 0 : 1; }
