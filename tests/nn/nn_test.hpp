// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/nn/init.hpp>

#include "model.hpp"
#include "support/check_op.hpp"

namespace doctest {

template <>
struct StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "{" : ", ") + line;
    return String((text + (text.empty() ? "{}" : "}")).c_str());
  }
};

}  // namespace doctest

/// Layers against the plain loops of model.hpp, and what they communicate against what their docstrings say.
namespace tpx::test {

/// Forward in double agrees to rounding; gradients do relative to the layer's largest gradient.
inline constexpr double nn_tolerance = 1e-11;

/// One call over tp, or over another axis, in words: "all_reduce 144 over tp".
inline std::string sent(comm::Collective what, std::int64_t elements, const std::string& axis = "tp") {
  return std::string(comm::name(what)) + " " + std::to_string(elements) + " over " + axis;
}

using Calls = std::vector<std::string>;

/// What the log has recorded since it was cleared.
inline Calls calls_in(const comm::CommLog& log) {
  Calls all;
  for (const comm::CommCall& call : log.calls()) all.push_back(sent(call.what, call.elements, call.label));
  return all;
}

/// Without an axis of one rank nothing is sent.
inline Calls on_more_than_one(int ranks, Calls calls) { return ranks > 1 ? calls : Calls{}; }

/// Overwrites every parameter of a layer with random numbers that all ranks know, and returns them by name.
template <class Layer>
model::Parameters set_parameters(Layer& layer, double size = 0.5) {
  model::Parameters all;
  unsigned seed = 100;
  layer.visit([&]<class P>(P& p) {
    using T = typename P::element_type;
    Values values = random_values(p.shape().count(), seed++);
    for (double& v : values) v *= size;
    const std::vector<T> mine = shard_of<T>(p.shape(), P::spec, p.mesh().grid(), values);
    detail::copy_from_host(p.mesh(), mine.data(), p.data(), p.local_count());
    CHECK(all.value.count(p.track().state->name) == 0);
    all.value[p.track().state->name] = values;
  });
  return all;
}

template <class Layer>
void reset_gradients(Layer& layer) {
  layer.visit([](auto& p) { p.track().state->filled = false; });
}

/// The gradients of all parameters by name, whole: summed where they are Partial.
template <class Layer>
std::map<std::string, Values> gradients_of(Layer& layer) {
  std::map<std::string, Values> all;
  layer.visit([&](auto& p) { all[p.track().state->name] = whole(gradient(p)); });
  return all;
}

/// The largest difference of any gradient, over the largest gradient of all.
inline double gradients_off(const std::map<std::string, Values>& are,
                            const std::map<std::string, Values>& expected) {
  double difference = 0, largest = 0;
  if (are.size() != expected.size()) return std::numeric_limits<double>::infinity();
  for (const auto& [name, g] : expected) {
    const auto found = are.find(name);
    if (found == are.end() || found->second.size() != g.size()) return std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double d = std::fabs(found->second[i] - g[i]);
      if (!(d <= difference)) difference = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
      largest = std::fmax(largest, std::fabs(g[i]));
    }
  }
  return largest > 0 ? difference / largest : difference;
}

/// A layer against its plain loops: the result, its layout, the gradients of x and of every parameter, and
/// the calls forward and backward in order.
///
/// @param reference  has forward(x) and backward(dy) over `parameters`
template <class Result, class Layer, class Plain, class G>
void check_layer(const World& world, Layer& layer, Plain&& plain, model::Parameters& parameters,
                 const Values& dy, const Calls& forward, const Calls& back, const G& given, const auto& mesh) {
  const Values y = plain.forward(given.values);
  parameters.gradient.clear();
  parameters.gradient["x"] = plain.backward(dy);

  comm::CommLog& log = world.log();
  log.keep_order(true);
  Tape tape(mesh);
  const auto x = tape.watch(put(mesh, given));
  reset_gradients(layer);
  log.clear();
  const auto result = layer(x);
  CHECK(calls_in(log) == forward);
  static_assert(std::is_same_v<typename decltype(result)::layout_type, Result>);
  CAPTURE(result.describe());
  CHECK(off(gather(result), y) <= nn_tolerance);

  const auto loss = weighted_sum(result, dy);
  log.clear();
  backward(loss);
  CHECK(calls_in(log) == back);
  auto gradients = gradients_of(layer);
  gradients["x"] = whole(tape.gradient(x));
  CHECK(gradients_off(gradients, parameters.gradient) <= nn_tolerance);

  const auto untaped = layer(put(mesh, given));
  CHECK(local_values(untaped) == local_values(result));
  log.keep_order(false);
}

}  // namespace tpx::test
