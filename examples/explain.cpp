// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shows what layouts mean and cost, in one process, for a mesh of any size:
//
//   explain --mesh dp=2,tp=4 --tensor 'f32[8@dp,16@tp]' --svg picture.svg
//   explain --mesh dp=2,tp=4 --from 'f32[64,64]{P:tp}' --to 'f32[64@tp,64]'
//   explain --mesh pp=4 --schedule 1f1b --micro-batches 8 --svg schedule.svg
//   explain --mesh dp=8,tp=8 --model gpt --hidden 12288 --layers 96 --heads 96 --context 2048 --batch 64
//   explain --mesh tp=8 --model llama --sequence-parallel --kv-heads 8 --ffn 14336 --hidden 4096 --heads 32
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <tpx/layout/parse.hpp>
#include <tpx/layout/picture_svg.hpp>
#include <tpx/layout/plan_text.hpp>
#include <tpx/layout/ragged.hpp>
#include <tpx/train/pipeline_picture.hpp>

#include "explain/model_step.hpp"
#include "explain/options.hpp"
#include "support/result.hpp"

namespace {

using example::Fact;
using namespace explain;

/// Reads a tensor that the mesh can hold.
tpx::TensorText read_tensor(const std::string& text, const tpx::MeshText& mesh) {
  const tpx::TensorText tensor = tpx::parse_tensor(text, mesh.names);
  tpx::Distribution(tensor.shape, tensor.spec, mesh.grid).check(name(tensor.element), mesh.names);
  return tensor;
}

bool has_gradient(const tpx::TensorText& tensor) {
  const bool real = tensor.element == tpx::Element::f32 || tensor.element == tpx::Element::f64 ||
                    tensor.element == tpx::Element::bf16;
  return real && tpx::detail::has_gradient(tensor.spec);
}

std::string printed(const tpx::TensorText& tensor, tpx::Spec spec, const tpx::MeshText& mesh) {
  return print(name(tensor.element), tensor.shape, spec, mesh.names);
}

void write(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  out << text << std::flush;
  if (!out) tpx::fail("explain: '" + file + "' cannot be written");
}

/// Draws a tensor and names its gradient's layout.
Fact show_tensor(const std::string& text, const tpx::MeshText& mesh, const std::string& file) {
  const tpx::TensorText tensor = read_tensor(text, mesh);
  const tpx::Picture picture(name(tensor.element), tensor.shape, tensor.spec, mesh.grid, mesh.names);
  const std::string gradient = has_gradient(tensor) ? printed(tensor, dual(tensor.spec), mesh) : "none";
  std::printf("%sits gradient: %s\n\n", picture.text().c_str(), gradient.c_str());
  if (!file.empty()) write(file, svg(picture));
  const std::int64_t local = tpx::Distribution(tensor.shape, tensor.spec, mesh.grid).local().count();
  return {text,
          std::vector<Fact>{{"elements", tensor.shape.count()}, {"first_rank", local}, {"gradient", gradient}}};
}

/// Prints the plan of a redistribution and the one of its backward.
Fact show_plan(const std::string& from_text, const std::string& to_text, const tpx::MeshText& mesh) {
  const tpx::TensorText from = read_tensor(from_text, mesh), to = read_tensor(to_text, mesh);
  if (!(from.shape == to.shape) || from.element != to.element)
    tpx::fail("explain: a redistribution keeps element and shape; from " + from_text + " to " + to_text);
  const tpx::Shape shape = tpx::detail::shape_on_the_way(from.shape, from.spec, to.shape, to.spec, mesh.grid);
  const auto in_words = [&](const tpx::Plan& plan) {
    const std::string text = plan_text(plan, from.element, shape, mesh.grid, mesh.names);
    return text.empty() ? std::string("nothing to do\n") : text;
  };
  const tpx::Plan forward = tpx::make_plan(from.spec, to.spec);
  std::printf("from %s\n%s", from_text.c_str(), in_words(forward).c_str());
  std::vector<Fact> facts{{"steps", forward.count},
                          {"first_rank_elements", elements(forward, shape, mesh.grid)}};
  if (has_gradient(from) && has_gradient(to)) {
    const tpx::Plan backward = transposed(forward);
    std::printf("backward, from %s\n%s\n", printed(to, dual(to.spec), mesh).c_str(),
                in_words(backward).c_str());
    facts.emplace_back("first_rank_elements_backward", elements(backward, shape, mesh.grid));
  }
  return {"plan", facts};
}

/// Draws a schedule on the ranks along pp; its bubble beside the formula's.
Fact show_schedule(const tpx::MeshText& mesh, const Options& options) {
  int ranks = 0;
  for (int a = 0; a < mesh.grid.axes; ++a)
    if (mesh.names[static_cast<std::size_t>(a)] == tpx::axes::pp::name) ranks = mesh.grid.size[a];
  if (ranks == 0)
    tpx::fail("explain: a schedule is of the ranks along pp; the mesh " + options.mesh + " has none");
  const tpx::PipelineKind kind = tpx::pipeline_kind(options.schedule);
  const int micro_batches =
      options.micro_batches == 0 ? tpx::least_micro_batches(kind, ranks) : options.micro_batches;
  if (1.0 * ranks * micro_batches * options.chunks > 1e4)
    tpx::fail("explain: more than 10000 forwards are not drawn; make the schedule smaller");
  const tpx::PipelineSchedule schedule =
      tpx::make_pipeline_schedule(kind, ranks, micro_batches, options.chunks);
  check(schedule);
  const double bubble = tpx::simulate(schedule).bubble_share(),
               formula = tpx::bubble_formula(ranks, micro_batches, options.chunks);
  std::printf("%sformula (p - 1) / (v m + p - 1): bubble %.1f %%\n\n", picture(schedule).c_str(),
              100 * formula);
  if (!options.svg.empty()) write(options.svg, svg_picture(schedule));
  return {options.schedule, std::vector<Fact>{{"ranks", ranks},
                                              {"micro_batches", micro_batches},
                                              {"chunks", options.chunks},
                                              {"bubble", bubble},
                                              {"formula", formula},
                                              {"in_flight", schedule.in_flight}}};
}

int run(const Options& options) {
  const tpx::MeshText mesh = tpx::parse_mesh(options.mesh);
  std::vector<Fact> facts{{"example", "explain"}, {"mesh", options.mesh}, {"ranks", mesh.grid.ranks(~0u)}};
  std::vector<Fact> tensors;
  for (const std::string& text : options.tensors)
    tensors.push_back(show_tensor(text, mesh, &text == &options.tensors.back() ? options.svg : ""));
  if (!tensors.empty()) facts.emplace_back("tensors", tensors);
  if (!options.schedule.empty()) facts.push_back(show_schedule(mesh, options));
  if (!options.from.empty()) facts.push_back(show_plan(options.from, options.to, mesh));
  if (!options.model.empty()) {
    const ModelStep step = run_model_step(mesh, options);
    print(step, options);
    facts.emplace_back(options.model, explain::facts(step));
  }
  std::printf("result %s\n", Fact::braced(facts).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const auto code = read_options(argc, argv, options)) return *code;
  try {
    return run(options);
  } catch (const tpx::Error& error) {  // all input is the command line's
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
