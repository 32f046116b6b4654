// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <tpx/core/config.hpp>

namespace tpx {

/// What every failure that tpx notices at run time is thrown as.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

/// Who is speaking: set by the mesh when it is made, so that an error names the rank that failed. A
/// thread has its own, because with the threads communicator a rank is a thread.
struct Whereabouts {
  int rank = -1;           ///< in the world communicator; -1 before there is one
  std::string coordinate;  ///< "dp=0,tp=1"; empty before there is a mesh
};

inline Whereabouts& whereabouts() {
  static thread_local Whereabouts here;
  return here;
}

/// The op that this thread is in: its outermost region, empty outside of any.
inline const char*& op_in_progress() {
  static thread_local const char* name = "";
  return name;
}

/// " (rank 1, dp=0,tp=1)", or nothing before there are ranks.
inline std::string signature() {
  const Whereabouts& here = whereabouts();
  if (here.rank < 0) return {};
  std::string text = " (rank " + std::to_string(here.rank);
  if (!here.coordinate.empty()) text += ", " + here.coordinate;
  return text + ")";
}

inline void put_values(std::ostringstream&, std::string_view) {}

/// Writes `name = value` for each argument; `names` is the macro's own text of them.
template <class Value, class... Values>
void put_values(std::ostringstream& out, std::string_view names, const Value& value, const Values&... rest) {
  int depth = 0;
  std::size_t end = 0;
  for (; end < names.size(); ++end) {
    const char c = names[end];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) break;
  }
  std::string_view name = names.substr(0, end);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  // A string literal is a remark, not a value: it is written as it stands.
  if (!name.empty() && name.front() == '"') {
    out << "; " << value;
  } else {
    out << "; " << name << " = " << value;
  }
  put_values(out, end < names.size() ? names.substr(end + 1) : std::string_view{}, rest...);
}

template <class... Values>
[[noreturn]] void expectation_failed(const char* function, const char* expression, std::string_view names,
                                     const Values&... values) {
  std::ostringstream out;
  out << "tpx::" << function << ": expected " << expression;
  put_values(out, names, values...);
  out << signature();
  throw Error(out.str());
}

}  // namespace detail

/// Throws tpx::Error with a sentence of the caller's and who was speaking.
[[noreturn]] inline void fail(const std::string& sentence) { throw Error(sentence + detail::signature()); }

}  // namespace tpx

/// Throws tpx::Error when `condition` is false: the expression, the function, the values that are named
/// (evaluated only then; a string literal is a remark), the rank and its mesh coordinate.
#if TPX_CHECK_LEVEL >= 1
#define TPX_EXPECTS(condition, ...)                                                                     \
  do {                                                                                                  \
    if (!(condition)) [[unlikely]]                                                                      \
      ::tpx::detail::expectation_failed(__func__, #condition, #__VA_ARGS__ __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)
#else
#define TPX_EXPECTS(condition, ...) \
  do {                              \
  } while (false)
#endif
