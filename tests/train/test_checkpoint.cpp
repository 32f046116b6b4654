// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <tpx/io/checkpoint.hpp>
#include <tpx/train/training_state.hpp>

#include "io/scratch.hpp"
#include "support/distributed.hpp"
#include "train/shared_folder.hpp"
#include "train/training.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

constexpr std::int64_t stored_at = 4, last = 8;

template <class Training>
std::vector<double> steps(Training& training, std::int64_t first, std::int64_t end) {
  std::vector<double> losses;
  for (std::int64_t i = first; i < end; ++i) losses.push_back(static_cast<double>(item(training.step(i))));
  return losses;
}

template <class Mesh, class Training>
void save(const Mesh& mesh, const std::string& folder, std::int64_t step, Training& training) {
  save_checkpoint(mesh, folder, step, training.model(), training.optimizer(), {{"seed", "11"}});
}
template <class Mesh, class Training>
void load(const Mesh& mesh, const std::string& folder, Training& training) {
  Checkpoint checkpoint = newest_checkpoint(mesh, folder);
  load_checkpoint(mesh, checkpoint, training.model(), training.optimizer());
}

/// What every rank is told; empty where a rank is told nothing, or another rank something else.
template <class F>
std::string told(const World& world, F&& f) {
  std::string text = error_of(f);
  auto length = static_cast<std::int64_t>(text.size());
  std::int64_t low = length, high = length;
  world.all_reduce(&length, &low, 1, Element::i64, Reduction::min);
  world.all_reduce(&length, &high, 1, Element::i64, Reduction::max);
  // "(rank 3, ...)" differs where an error is not agreed on but the same everywhere.
  return low > 8 && high - low < 16 ? text : std::string();
}

}  // namespace

TEST_CASE("parts: what two of them share is copied, box by box and range by range") {
  std::mt19937 random(5);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  for (int round = 0; round < 300; ++round) {
    const int ndim = static_cast<int>(below(4));
    Shape global;
    for (int d = 0; d < ndim; ++d) global.push_back(1 + below(5));
    const auto part_of = [&] {
      TensorPart part;
      part.global = global;
      for (int d = 0; d < ndim; ++d) {
        part.offset[static_cast<std::size_t>(d)] = below(global[d]);
        part.local.push_back(1 + below(global[d] - part.at(d)));
      }
      part.begin = below(part.local.count());
      part.count = 1 + below(part.local.count() - part.begin);
      return part;
    };
    // The place of each of a part's elements in the whole tensor.
    const auto places = [&](const TensorPart& part) {
      std::vector<float> all;
      for (std::int64_t i = part.begin; i < part.begin + part.count; ++i) {
        std::int64_t rest = i, place = 0, stride = 1;
        for (int d = ndim - 1; d >= 0; --d) {
          place += (part.at(d) + rest % part.local[d]) * stride;
          rest /= part.local[d];
          stride *= global[d];
        }
        all.push_back(static_cast<float>(place));
      }
      return all;
    };
    const TensorPart from = part_of(), to = part_of();
    const std::vector<float> source = places(from), wanted = places(to);
    std::vector<float> target(wanted.size(), -1), expected(wanted.size(), -1);
    std::int64_t shared = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (std::find(source.begin(), source.end(), wanted[i]) == source.end()) continue;
      expected[i] = wanted[i];
      ++shared;
    }
    const std::int64_t copied = detail::copy_overlap(from, reinterpret_cast<const std::byte*>(source.data()),
                                                     to, reinterpret_cast<std::byte*>(target.data()));
    CHECK(copied == shared);
    CHECK(target == expected);
  }
}

TEST_CASE("uneven pieces, and ranges of them, are read back by ranks that cut otherwise") {
  for_each_mesh([&](const World& all, const auto& mesh) {
    using Axes = typename std::decay_t<decltype(mesh)>::axes;
    const SharedFolder folder(all);
    const Shape global{11, 7};
    Values whole(77);
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<double>(i);
    const Distribution rows(global, spec_v<layout_t<Shard<0, Balanced, dp, tp>>, Axes>, mesh.grid());
    const Distribution columns(global, spec_v<layout_t<Shard<1, Balanced, tp>>, Axes>, mesh.grid());
    CheckpointWriter writer(mesh, folder.path(), 7);
    writer.fact("data", "77 numbers");
    const TensorPart mine = tensor_part("rows", Element::f64, rows, mesh.grid());
    writer.add(mine, std::span<const double>(shard_of<double>(global, rows.spec(), mesh.grid(), whole)));
    // Of the same columns on every dp rank each stores a range, as ZeRO cuts an optimizer's state.
    TensorPart range = tensor_part("columns", Element::f64, columns, mesh.grid());
    const std::int64_t p = mesh.template size<dp>(), c = mesh.template coordinate<dp>(), n = range.count;
    range.begin = n * c / p;
    range.count = n * (c + 1) / p - range.begin;
    range.stored = true;
    const std::vector<double> box = shard_of<double>(global, columns.spec(), mesh.grid(), whole);
    writer.add(range, std::span<const double>(box).subspan(static_cast<std::size_t>(range.begin),
                                                           static_cast<std::size_t>(range.count)));
    writer.commit();

    Checkpoint checkpoint = newest_checkpoint(mesh, folder.path());
    CHECK(checkpoint.step() == 7);
    CHECK(checkpoint.facts() == CheckpointFacts{{"data", "77 numbers"}});
    for (const char* name : {"rows", "columns"}) {
      for (const Distribution& d : {rows, columns, Distribution(global, {}, mesh.grid())}) {
        const TensorPart part = tensor_part(name, Element::f64, d, mesh.grid());
        TPX_REQUIRE_ALL(checkpoint.read<double>(part) ==
                        shard_of<double>(global, d.spec(), mesh.grid(), whole));
      }
    }
  });
}

TEST_CASE_TEMPLATE("a run goes on from a checkpoint of any mesh as if it had not been interrupted", T, float,
                   double) {
  auto alone = train_alone<T>();
  const std::vector<double> whole = alone.losses(last);
  for_each_mesh([&](const World& world, const auto& mesh) {
    const SharedFolder folder(world);
    Training first(mesh, T());
    steps(first, 0, stored_at);
    save(mesh, folder.path(), stored_at, first);
    const std::vector<double> uninterrupted = steps(first, stored_at, last);
    CHECK(drift(uninterrupted, {whole.begin() + stored_at, whole.end()}) <= allowed_drift<T>);
    {
      Training again(mesh, T());
      steps(again, 0, 1);  // whatever it has by then is replaced
      load(mesh, folder.path(), again);
      TPX_REQUIRE_ALL(again.optimizer().steps() == stored_at);
      TPX_REQUIRE_ALL(steps(again, stored_at, last) == uninterrupted);
    }
    for_each_mesh([&](const World&, const auto& other) {
      Training there(other, T());
      load(other, folder.path(), there);
      CHECK(drift(steps(there, stored_at, last), uninterrupted) <= allowed_drift<T>);
    });
    // By one rank, and from one rank.
    world.barrier();
    bool good = true;
    const SharedFolder from_one(world);
    if (world.rank() == 0) {
      auto one = train_alone<T>();
      load(one.model().mesh(), folder.path(), one);
      good = drift(steps(one, stored_at, last), uninterrupted) <= allowed_drift<T>;
      auto writer = train_alone<T>();
      steps(writer, 0, stored_at);
      save(writer.model().mesh(), from_one.path(), stored_at, writer);
    }
    TPX_REQUIRE_ALL(good);
    Training from_file(mesh, T());
    load(mesh, from_one.path(), from_file);
    CHECK(drift(steps(from_file, stored_at, last), uninterrupted) <= allowed_drift<T>);
  });
}

TEST_CASE("what is changed, missing, newer or another's is refused on every rank; what was there stays") {
  for_each_mesh([&](const World& all, const auto& mesh) {
    const SharedFolder folder(all);
    Training training(mesh, float());
    const auto parameters = training.parameters();
    for (std::int64_t step = 1; step <= 3; ++step) save(mesh, folder.path(), step, training);
    TPX_REQUIRE_ALL((detail::stored_steps(folder.path()) == std::vector<std::int64_t>{3, 2}));
    const std::string newest = folder.path() + "/" + detail::step_name(3);
    const std::string part = newest + "/" + detail::part_name(0);
    const auto loads = [&] { return told(all, [&] { load(mesh, folder.path(), training); }); };
    CHECK(error_of([&] { load(mesh, folder.path(), training); }) == "nothing");
    const auto change = [&](const std::string& file, auto&& f) {
      all.barrier();
      if (all.rank() == 0) {
        std::string bytes = slurp(file);
        f(bytes);
        std::ofstream(file, std::ios::binary) << bytes;
      }
      all.barrier();
    };

    // A flipped bit, wherever it is.
    std::mt19937 random(7);
    const auto size = static_cast<std::size_t>(std::filesystem::file_size(part));
    for (int round = 0; round < 20; ++round) {
      const std::size_t at = round < 14 ? random() % size : size - 1 - random() % 200;
      const auto flip = [&](std::string& bytes) {
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << round % 8));
      };
      change(part, flip);
      const std::string text = loads();
      CAPTURE(at);
      CAPTURE(text);
      CHECK(text.find("is not as it was stored") != std::string::npos);
      CHECK(text.find(detail::part_name(0)) != std::string::npos);
      if (round == 0) CHECK(text.find("tensor '") != std::string::npos);
      change(part, flip);
    }
    const std::string manifest = newest + "/manifest";
    for (const std::size_t at : {5u, 20u, 60u}) {
      const auto flip = [&](std::string& bytes) { bytes[at] = static_cast<char>(bytes[at] ^ 1); };
      change(manifest, flip);
      CHECK(loads().find("manifest' is not as it was stored") != std::string::npos);
      change(manifest, flip);
    }
    change(manifest, [](std::string& bytes) { bytes.replace(bytes.find("checkpoint 1"), 12, "checkpoint 2"); });
    CHECK(loads().find("was stored by a newer version, 2; this one reads up to 1") != std::string::npos);
    change(manifest, [](std::string& bytes) { bytes.replace(bytes.find("checkpoint 2"), 12, "checkpoint 1"); });
    change(part, [](std::string& bytes) { bytes.pop_back(); });
    CHECK(loads().find("bytes, stored were") != std::string::npos);
    all.barrier();
    if (all.rank() == 0) std::filesystem::remove(part);
    all.barrier();
    CHECK(loads().find("has lost its part-00000") != std::string::npos);
    TPX_REQUIRE_ALL(training.parameters() == parameters);  // nothing of what was refused is in the model

    // What cannot be written: a disk has no room; the folder is a file; a part grows beyond what a file may
    // have, on the last rank that stores values.
    CHECK(error_of([] {
            detail::OutputFile disk("/dev/full");
            disk.write("checkpoint");
            disk.sync();
          }).find("'/dev/full' cannot be written: No space left on device") != std::string::npos);
    CHECK(told(all, [&] {
            save(mesh, folder.path() + "/" + detail::step_name(2) + "/manifest", 1, training);
          }).find("cannot be made") != std::string::npos);
    rlimit before{};
    TPX_REQUIRE_ALL(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, SIG_IGN);
    const bool is_short = all.rank() == mesh.template size<tp>() - 1;  // replicas beyond it store nothing
    const rlimit small{is_short ? 1000 : before.rlim_cur, before.rlim_max};
    TPX_REQUIRE_ALL(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string full = told(all, [&] { save(mesh, folder.path(), 4, training); });
    const bool restored = ::setrlimit(RLIMIT_FSIZE, &before) == 0;
    std::signal(SIGXFSZ, SIG_DFL);
    TPX_REQUIRE_ALL(restored);
    CHECK(full.find("cannot be written: File too large") != std::string::npos);
    TPX_REQUIRE_ALL((detail::stored_steps(folder.path()) == std::vector<std::int64_t>{3, 2}));
    TPX_REQUIRE_ALL(!std::filesystem::exists(folder.path() + "/" + detail::step_name(4) + ".writing"));
    all.barrier();
    // Stored again, the same step is replaced.
    save(mesh, folder.path(), 3, training);
    CHECK(error_of([&] { load(mesh, folder.path(), training); }) == "nothing");
    CHECK(told(all, [&] {
            newest_checkpoint(mesh, folder.path() + "/nosuch");
          }).find("has no complete checkpoint") != std::string::npos);
  });
}

TEST_CASE("a checkpoint of another model is refused with the tensor that differs") {
  for_each_mesh([&](const World& all, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const SharedFolder folder(all);
    Training training(mesh, float());
    save(mesh, folder.path(), 1, training);
    const auto loads = [&](auto element, GptConfig config) {
      using Model = Gpt<decltype(element), Mesh, tp>;
      Model model(mesh, config);
      AdamW<Model> optimizer(model);
      return told(all, [&] {
        Checkpoint checkpoint = newest_checkpoint(mesh, folder.path());
        load_checkpoint(mesh, checkpoint, model, optimizer);
      });
    };
    GptConfig other = small_gpt();
    other.hidden = 96;
    CHECK(loads(float(), other).find("tensor 'tokens' of") != std::string::npos);
    CHECK(loads(float(), other).find("is f32[48,48]; the model's is f32[48,96]") != std::string::npos);
    CHECK(loads(double(), small_gpt()).find("the model's is f64[48,48]") != std::string::npos);
    other = small_gpt();
    other.layers = 3;
    CHECK(loads(float(), other).find("has no tensor 'block2.") != std::string::npos);
    other.layers = 1;
    CHECK(loads(float(), other).find("is of another model: this one has no tensor 'block1.") !=
          std::string::npos);
  });
}
