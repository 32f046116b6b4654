// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/sample.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx {

namespace ops {

struct sample {
  static constexpr bool computes_fractions = true;
  static constexpr OpRule rule = op_rule("b v -> b", Linearity::nonlinear, {2}, "v");
};

}  // namespace ops

/// How a class is chosen.
struct SampleOptions {
  double temperature = 0;  ///< 0: the class with the largest logit
  std::int64_t top_k = 0;  ///< only of so many classes with the largest logits; 0: of all
  double top_p = 1;        ///< of these, only of the likeliest that together are at least so likely
  std::uint64_t seed = 0;
  std::uint64_t step = 0;    ///< another step draws other numbers
  std::int64_t classes = 0;  ///< classes from here on are padding; 0: there is none
};

namespace detail {

/// The candidates of a rank, and what the ranks find out of them together.
template <class T, class Mesh>
class Sampler {
 public:
  Sampler(const Mesh& mesh, unsigned axes, const kernel::Candidates& n, const T* logits)
      : mesh_(mesh), axes_(axes), n_(n), logits_(logits) {}

  /// Leaves out all but the candidates with the largest logits that together weigh `share` of all, or are
  /// `count`.
  /// @comm over the axes, four all_reduces (sum) of 256 f64 a row; for a share one (max) of a row more
  void keep(double share, std::int64_t count, double temperature) {
    Buffer largest;
    if (share > 0) largest = largest_logits();
    const Buffer bins = allocate<double>(mesh_, n_.rows * kernel::order_bins);
    const Buffer wanted = allocate<double>(mesh_, n_.rows);
    const Buffer found = allocate<std::int32_t>(mesh_, n_.rows);
    auto* const bin = bins.as<double>();
    auto* const threshold = found.as<std::uint32_t>();
    fill(wanted, n_.rows, static_cast<double>(count));
    for (int digit = 0; digit < kernel::order_digits; ++digit) {
      fill(bins, n_.rows * kernel::order_bins, 0.0);
      mesh_.context().launch(
          {4 * n_.rows * n_.columns, n_.rows * n_.columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
            kernel::weigh_candidates(exec, n_, logits_, threshold, threshold_.template as<std::uint32_t>(),
                                     largest.template as<double>(), temperature, digit, bin);
          });
      all_reduce(mesh_, axes_, static_cast<const double*>(bin), bin, n_.rows * kernel::order_bins);
      mesh_.context().launch({}, [&](const auto& exec) {
        kernel::next_digit(exec, n_.rows, bin, wanted.template as<double>(), threshold, share, digit);
      });
    }
    threshold_ = found;
  }

  /// @comm over the axes, one all_gather of two f64 a row
  void choose(const SampleOptions& options, std::uint64_t stream, std::int32_t* best) {
    const int ranks = mesh_.grid().ranks(axes_);
    const Buffer all = allocate<double>(mesh_, 2 * n_.rows * ranks);
    find(options.temperature, options.seed, stream, all);
    mesh_.context().launch({}, [&](const auto& exec) {
      kernel::best_of_ranks(exec, static_cast<const double*>(all.template as<double>()), best, n_.rows, ranks);
    });
  }

 private:
  void find(double temperature, std::uint64_t seed, std::uint64_t stream, const Buffer& all) {
    const Buffer mine = allocate<double>(mesh_, 2 * n_.rows);
    mesh_.context().launch({20 * n_.rows * n_.columns, n_.rows * n_.columns * std::int64_t{sizeof(T)}},
                           [&](const auto& exec) {
                             kernel::best_candidate(exec, n_, logits_, threshold_.template as<std::uint32_t>(),
                                                    temperature, seed, stream, mine.template as<double>());
                           });
    all_gather(mesh_, axes_, static_cast<const double*>(mine.template as<double>()), all.template as<double>(),
               2 * n_.rows);
  }

  /// The largest logit of each row, over all ranks.
  Buffer largest_logits() {
    Buffer largest = allocate<double>(mesh_, n_.rows);
    const Buffer found = allocate<double>(mesh_, 2 * n_.rows);
    mesh_.context().launch(
        {n_.rows * n_.columns, n_.rows * n_.columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
          kernel::best_candidate(exec, n_, logits_, static_cast<const std::uint32_t*>(nullptr), 0.0, 0, 0,
                                 found.template as<double>());
          kernel::copy_block(exec, static_cast<const double*>(found.template as<double>()), 2,
                             largest.template as<double>(), 1, n_.rows, 1);
        });
    all_reduce(mesh_, axes_, static_cast<const double*>(largest.template as<double>()),
               largest.template as<double>(), n_.rows, Reduction::max);
    return largest;
  }

  void fill(const Buffer& to, std::int64_t count, double value) {
    mesh_.context().launch(
        {}, [&](const auto& exec) { kernel::fill(exec, to.template as<double>(), count, value); });
  }

  const Mesh& mesh_;
  unsigned axes_;
  kernel::Candidates n_;
  const T* logits_;
  Buffer threshold_;
};

}  // namespace detail

/// Chooses a class of each row: the likeliest, or by chance as softmax(logits / temperature) says. No rank ever
/// holds all logits of a row, and the same classes are drawn whatever the number of ranks.
///
///   logits  [b@dp,v@tp]    y  i32 [b@dp]      sample<over<tp>>
///   logits  [b@dp,v]       y  i32 [b@dp]      sample
///
/// A class is drawn as the largest of logit / temperature + g, where g is a number of Gumbel's distribution
/// keyed by seed, step, row and class. What top_k and top_p leave out is found by its least logit, in single
/// precision: classes whose logits are equal are kept or left out together.
///
/// @pre    temperature >= 0, top_k >= 0, 0 < top_p <= 1
/// @comm   over the axes of `over`: one all_gather of two f64 a row; for top_k four all_reduces of 256 f64 a
///         row, for top_p as many and one of one
/// @throws tpx::Error naming the option
/// @see    Gumbel 1954; Maddison et al. 2014, "A* Sampling", section 2
template <class Over = over<>, Tensor Logits>
auto sample(const Logits& logits, const SampleOptions& options = {}) {
  static_assert(Logits::ndim == 2, "tpx::sample: logits are [batch, classes]");
  static_assert(!detail::recorded<Logits>, "tpx::sample: a choice has no gradient: detach(logits)");
  using Op = ops::sample;
  if constexpr (!detail::admits<Op, Over, Logits>()) {
    return refused{};
  } else {
    using T = typename Logits::element_type;
    using Mesh = typename Logits::mesh_type;
    const detail::Region region("tpx::sample");
    const std::int64_t all = logits.extent(1);
    const std::int64_t valid = options.classes == 0 ? all : options.classes;
    TPX_EXPECTS(1 <= valid && valid <= all, valid, all);
    TPX_EXPECTS(options.temperature >= 0, options.temperature);
    TPX_EXPECTS(options.top_k >= 0, options.top_k);
    TPX_EXPECTS(0 < options.top_p && options.top_p <= 1, options.top_p);
    constexpr unsigned axes = detail::mask_of<Over, typename Mesh::axes>;
    const Distribution d = logits.distribution();
    const kernel::Candidates n{d.local()[0], d.local()[1], d.piece(1).offset, valid};
    using L = detail::result_layout_of<Op, Over, Logits>;
    const Shape rows =
        detail::with_pieces_of(Shape{logits.extent(0)}, logits.shape(), spec_v<L, typename Mesh::axes>);
    auto y = detail::make_tensor<std::int32_t, 1, L>(logits.mesh(), rows);
    detail::Sampler<T, Mesh> sampler(logits.mesh(), axes, n, logits.data());
    if (options.temperature > 0 && options.top_k > 0 && options.top_k < valid)
      sampler.keep(0, options.top_k, options.temperature);
    if (options.temperature > 0 && options.top_p < 1) sampler.keep(options.top_p, 0, options.temperature);
    sampler.choose(options, (options.step << 32) + static_cast<std::uint64_t>(d.piece(0).offset), y.data());
    return y;
  }
}

template <class Over = over<>>
refused sample(refused, const SampleOptions& = {}) {
  return {};
}

}  // namespace tpx
