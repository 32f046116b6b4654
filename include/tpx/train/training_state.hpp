// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <tpx/layout/tensor_part.hpp>
#include <tpx/train/adamw.hpp>
#include <tpx/train/data_parallel.hpp>

/// What a checkpoint has to store of a training.
namespace tpx {

/// Calls f(part, memory) for each of a model's parameters and each part of its optimizer's state.
template <class Model, class Optimizer, class F>
void visit_training_state(Model& model, Optimizer& optimizer, F&& f) {
  using T = typename Model::element_type;
  model.visit([&]<class P>(P& p) {
    f(tensor_part(p.track().state->name, element_v<T>, p.distribution(), p.mesh().grid()), p.data());
  });
  optimizer.visit_state(model, f);
}

/// Where ranks along Axis split what they update, each visits its own range of every parameter and its moments;
/// where they average parameters now and then, each its own replica of all.
template <class Axis, class Model, class... More, class F>
void visit_training_state(Model& model, DataParallel<Axis, Model, More...>& data, F&& f) {
  using T = typename Model::element_type;
  const auto states = data.states();
  std::size_t i = 0;
  model.visit([&]<class P>(P& p) {
    const auto& state = states[i++];
    constexpr int axis = detail::index_of<Axis, typename P::mesh_type::axes>;
    Grid grid = p.mesh().grid();
    const bool replicated = P::spec[axis].kind == Kind::replicate, apart = data.options().sync_every > 1;
    if (replicated && (data.options().zero > 0 || apart)) grid.coordinate[axis] = 0;  // each rank stores
    TensorPart part = tensor_part("", element_v<T>, p.distribution(), grid);
    if (replicated && apart) {
      part.replica = p.mesh().grid().coordinate[axis];
      part.replicas = p.mesh().grid().size[axis];
    }
    part.begin = state.offset;
    part.count = state.count;
    for (const auto& [suffix, memory] : {std::pair("", state.value), std::pair(":adamw.first", state.first),
                                         std::pair(":adamw.second", state.second)}) {
      part.name = p.track().state->name + suffix;
      f(std::as_const(part), memory);
    }
  });
}

}  // namespace tpx
