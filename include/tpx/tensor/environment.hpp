// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <Kokkos_Core.hpp>

#include <tpx/comm/call.hpp>
#include <tpx/comm/mpi.hpp>
#include <tpx/core/error.hpp>

// Weak: there where OpenBLAS is the BLAS, null elsewhere.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace tpx {

/// MPI and Kokkos for a program that leaves them to tpx: brought up in the right order, taken down in
/// reverse; what the program brought up itself is used and left alone. One at a time, in `main`.
///
///   int main(int argc, char** argv) {
///     tpx::Environment env(argc, argv);
///     return env.run([&] { ...; return 0; });
///   }
///
/// Options that begin with --kokkos are Kokkos', and are taken out of the program's; the others are left.
/// The BLAS gets one thread a rank, unless OPENBLAS_NUM_THREADS says otherwise.
class Environment {
 public:
  Environment(int& argc, char**& argv) {
    int initialised = 0;
    check(MPI_Initialized(&initialised), "MPI_Initialized");
    if (initialised == 0) {
      int provided = 0;
      check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
      owns_mpi_ = true;
    }
    if (openblas_set_num_threads != nullptr && std::getenv("OPENBLAS_NUM_THREADS") == nullptr)
      openblas_set_num_threads(1);
    if (!Kokkos::is_initialized()) {
      initialize_kokkos(argc, argv);
      owns_kokkos_ = true;
    }
    check(MPI_Comm_dup(MPI_COMM_WORLD, &failures_), "MPI_Comm_dup");
    int rank = 0;
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
    detail::whereabouts().rank = rank;
    comm::report_on_termination();
    previous_ = std::set_terminate(&terminated);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  ~Environment() {
    // An error on its way out of main: other ranks may wait for this one, and finalising would wait for them.
    if (std::uncaught_exceptions() > exceptions_) abort_job();
    std::set_terminate(previous_);
    warn(MPI_Comm_free(&failures_), "MPI_Comm_free");
    if (owns_kokkos_) Kokkos::finalize();
    if (owns_mpi_) warn(MPI_Finalize(), "MPI_Finalize");
  }

  /// All ranks of the job.
  /// @comm duplicates MPI_COMM_WORLD
  comm::Mpi world() const { return comm::Mpi::world(); }

  /// Calls the program's body and returns its exit code. An exception is written out by every rank that has
  /// one, and the code is 1; where other ranks go on, which may wait for this one for ever, the job is
  /// aborted with that code.
  template <class Body>
  int run(Body&& body) {
    try {
      return body();
    } catch (const std::exception& error) {
      report(error.what());
    } catch (...) {
      report("an exception that is no std::exception");
    }
    if (!all_ranks_failed()) abort_job();
    return 1;
  }

 private:
  /// Kokkos sees its own options alone: it would answer a --help that is meant for the program.
  static void initialize_kokkos(int& argc, char** argv) {
    std::vector<char*> theirs;
    int kept = 0;
    for (int i = 0; i < argc; ++i) {
      const bool is_kokkos = i > 0 && std::strncmp(argv[i], "--kokkos", 8) == 0;
      if (i == 0 || is_kokkos) theirs.push_back(argv[i]);
      if (!is_kokkos) argv[kept++] = argv[i];
    }
    if (kept < argc) argv[kept] = nullptr;
    argc = kept;
    int count = static_cast<int>(theirs.size());
    theirs.push_back(nullptr);
    Kokkos::initialize(count, theirs.data());
  }

  static std::string text_of(int code, const char* what) {
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
    return "tpx::Environment: " + std::string(what) + ": " +
           std::string(text, static_cast<std::size_t>(length));
  }
  static void check(int code, const char* what) {
    if (code != MPI_SUCCESS) throw Error(text_of(code, what));
  }
  /// Where nothing can be thrown any more.
  static void warn(int code, const char* what) {
    if (code != MPI_SUCCESS) report(text_of(code, what).c_str());
  }

  static void report(const char* what) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", what);
    std::fflush(stderr);
  }

  [[noreturn]] static void abort_job() {
    MPI_Abort(MPI_COMM_WORLD, 1);
    std::_Exit(1);  // MPI_Abort does not return; the compiler does not know
  }

  [[noreturn]] static void terminated() {
    if (const std::exception_ptr error = std::current_exception()) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        report(e.what());
      } catch (...) {
        report("an exception that is no std::exception");
      }
    }
    abort_job();
  }

  /// Waits a little for the others to fail too: where all were given the same bad input, the job can end in
  /// order, and every rank's message is read.
  bool all_ranks_failed() {
    MPI_Request together;
    if (MPI_Ibarrier(failures_, &together) != MPI_SUCCESS) return false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    for (int done = 0; std::chrono::steady_clock::now() < deadline;) {
      if (MPI_Test(&together, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
      if (done != 0) return true;
      const timespec millisecond{0, 1'000'000};
      (void)::nanosleep(&millisecond, nullptr);
    }
    return false;
  }

  MPI_Comm failures_ = MPI_COMM_NULL;
  std::terminate_handler previous_ = nullptr;
  int exceptions_ = std::uncaught_exceptions();
  bool owns_mpi_ = false;
  bool owns_kokkos_ = false;
};

}  // namespace tpx
