// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

namespace example {

/// Refuses what is no number in [low, high]; a NaN is none.
inline CLI::Validator between(double low, double high) {
  std::ostringstream range;
  range.precision(10);
  range << low << " to " << high;
  const auto complain = [=, text = range.str()](std::string& given) -> std::string {
    double value = 0;
    if (CLI::detail::lexical_cast(given, value) && value >= low && value <= high) return {};
    return "'" + given + "' is not in the range of " + text;
  };
  return CLI::Validator(complain, "", "between");
}

/// Reads the command line; where the program is to end with it, the exit code: 0 after --help, 2 after a
/// usage error. What there is to say is said if `speaks`.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv, bool speaks) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, complaints;
    const int code = app.exit(error, out, complaints);
    if (speaks) {
      std::cout << out.str() << std::flush;
      if (code != 0) std::cerr << "error: " << complaints.str() << std::flush;
    }
    return code == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace example
