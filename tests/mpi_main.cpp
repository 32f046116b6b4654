// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs doctest on every rank. Rank 0 prints its own log and the logs of the ranks that failed, in rank order,
// and all ranks exit with the same code. Failed assertions are also written to standard error at once, so that
// they are seen when the ranks that are left wait for each other until the test is stopped.
//
// TPX_TEST_LOG=direct writes each rank's log as it comes, for a rank that crashes.
#define DOCTEST_CONFIG_IMPLEMENT
#include <mpi.h>

#include <doctest/doctest.h>
#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/slow_products.hpp"

namespace {

int my_rank = 0;
bool anything_ran = false;

/// In one piece, so that the lines of two ranks do not mix.
void alarm(const std::string& text) {
  std::cerr << "[rank " + std::to_string(my_rank) + "] " + text + "\n" << std::flush;
}

std::string place(const char* file, int line) { return std::string(file) + ":" + std::to_string(line) + ": "; }

struct Alarm : doctest::IReporter {
  explicit Alarm(const doctest::ContextOptions&) {}

  void log_assert(const doctest::AssertData& data) override {
    if (!data.m_failed) return;
    std::ostringstream text;
    text << place(data.m_file, data.m_line) << doctest::assertString(data.m_at) << "( " << data.m_expr
         << " ) failed: " << (data.m_threw ? data.m_exception : data.m_decomp);
    for (int i = 0; i < get_num_active_contexts(); ++i) {
      text << "; ";
      get_active_contexts()[i]->stringify(&text);
    }
    alarm(text.str());
  }
  void log_message(const doctest::MessageData& data) override {
    if (data.m_severity != doctest::assertType::is_warn) {
      alarm(place(data.m_file, data.m_line) + data.m_string.c_str());
    }
  }
  void test_case_exception(const doctest::TestCaseException& data) override {
    alarm(std::string("exception: ") + data.error_string.c_str());
  }
  void test_case_start(const doctest::TestCaseData&) override { anything_ran = true; }

  void report_query(const doctest::QueryData&) override { anything_ran = true; }
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("alarm", 1, Alarm);

/// MPI_COMM_WORLD keeps MPI's own error handler here, which ends the job: no code is returned to look at.
/// Rank 0 prints the logs that are not empty.
void print_in_rank_order(const std::string& log) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const int length = static_cast<int>(log.size());
  std::vector<int> lengths(static_cast<std::size_t>(ranks));
  MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, MPI_COMM_WORLD);
  std::vector<int> offsets(lengths.size());
  int total = 0;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    offsets[r] = total;
    total += my_rank == 0 ? lengths[r] : 0;
  }
  std::string all(static_cast<std::size_t>(total), ' ');
  MPI_Gatherv(log.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR, 0,
              MPI_COMM_WORLD);
  if (my_rank != 0) return;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    if (lengths[r] == 0) continue;
    if (r > 0) std::cout << "---- rank " << r << "\n";
    std::cout << std::string_view(all).substr(static_cast<std::size_t>(offsets[r]),
                                              static_cast<std::size_t>(lengths[r]));
  }
  std::cout << std::flush;
}

int run(int argc, char** argv) {
  const char* wanted = std::getenv("TPX_TEST_LOG");
  const bool direct = wanted != nullptr && std::string_view(wanted) == "direct";
  std::ostringstream log;
  doctest::Context context;
  context.setOption("no-colors", true);
  context.applyCommandLine(argc, argv);
  if (!direct) context.setCout(&log);
  int failed = context.run();
  if (!anything_ran) {
    log << "no test case ran\n";
    failed = 1;
  }
  if (const std::string wrong = tpx::test::slow_products(); !wrong.empty()) {
    log << wrong;
    failed = 1;
  }
  print_in_rank_order(my_rank == 0 || failed != 0 ? log.str() : std::string());
  int failed_anywhere = 1;
  MPI_Allreduce(&failed, &failed_anywhere, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  return failed_anywhere;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &my_rank);
  int result = 1;
  {
    Kokkos::ScopeGuard kokkos(argc, argv);
    result = run(argc, argv);
  }
  MPI_Finalize();
  return result;
}
