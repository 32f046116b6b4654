// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every op's kernels on shards of different sizes, some of them empty: Balanced and Ragged dims of 2 to 7
// elements on up to four ranks, in a row and as 2 x 2, forward and backward, against loops over whole tensors.

#include <cstdint>
#include <utility>
#include <vector>

#include "validator/typed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;
using validator::As;
using validator::Sample;

namespace {

template <class... Placements>
using L = layout_t<Placements...>;

/// Of three tensors, x y y z, and of four, x y y z + w.
struct Squared {
  template <class T>
  KOKKOS_FUNCTION static T value(T x, T y, T z, T w = T(0)) {
    return x * y * y * z + w;
  }
  template <int I, class T>
  KOKKOS_FUNCTION static T derivative(T x, T y, T z, T = T(0)) {
    return I == 0 ? y * y * z : I == 1 ? T(2) * x * y * z : I == 2 ? x * y * y : T(1);
  }
};
validator::Number squared(const std::vector<validator::Number>& v) {
  const validator::Number y = v[0] * v[1] * v[1] * v[2];
  return v.size() > 3 ? y + v[3] : y;
}

struct Cubed {
  template <class T>
  KOKKOS_FUNCTION static T value(T x) {
    return x * x * x;
  }
  template <class T>
  KOKKOS_FUNCTION static T derivative(T x) {
    return T(3) * x * x;
  }
};

/// flatten and unflatten have no rule of the usual kind.
struct OneOfThreeDims {
  static constexpr OpRule rule = op_rule("a b c -> a b c", Linearity::nonlinear, {3});
};

/// Ops on one mesh.
template <class Mesh>
class Uneven {
 public:
  Uneven(const World& world, const Mesh& mesh) : world_(world), mesh_(mesh) {}

  /// One op on operands of these layouts.
  template <class How, class... Layouts, class Fn>
  void check(const Sample& sample, Fn fn) const {
    validator::check_one<How, spec_v<Layouts, typename Mesh::axes>.bits...>(world_, mesh_, sample, fn);
  }

  void products() const;
  void elementwise_ops() const;
  void reductions() const;
  void lines() const;
  void shapes() const;
  void masks() const;
  void indices() const;
  void attentions() const;
  void inference() const;

 private:
  const World& world_;
  const Mesh& mesh_;
};

template <class Mesh>
void Uneven<Mesh>::products() const {
  {
    using Op = ops::matmul<2, 2, 1>;
    const auto fn = [](const auto& x, const auto& w) { return matmul(x, w); };
    check<As<Op>, L<Shard<0, Ragged, dp>, Shard<1, Ragged, tp>>, L<Shard<0, Ragged, tp>, Replicate<dp>>>(
        Sample(validator::product("matmul", Op::rule), {{5, 7}, {7, 3}}), fn);
  }
  {
    using Op = ops::matmul_transposed<2>;
    check<As<Op>, L<Shard<1, Balanced, tp>, Replicate<dp>>, L<Shard<1, Balanced, tp>, Shard<0, Ragged, dp>>>(
        Sample(validator::product("matmul_transposed", Op::rule), {{5, 7}, {3, 7}}),
        [](const auto& x, const auto& w) { return matmul_transposed(x, w); });
  }
  {
    using Op = ops::einsum<validator::Scores, 3, 3>;
    const Sample sample(validator::product("einsum", Op::rule), {{3, 5, 7}, {3, 2, 7}});
    const auto fn = [](const auto& x, const auto& w) { return einsum<validator::Scores>(x, w); };
    check<As<Op>, L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>,
          L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>>(sample, fn);
    check<As<Op>, L<Shard<0, Balanced, tp>, Shard<1, Ragged, dp>>, L<Shard<0, Balanced, tp>, Replicate<dp>>>(
        sample, fn);
  }
}

template <class Mesh>
void Uneven<Mesh>::elementwise_ops() const {
  {
    using Op = ops::elementwise<Cubed, 2>;
    const auto cubed = [](const std::vector<validator::Number>& v) { return v[0] * v[0] * v[0]; };
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
        Sample(validator::pointwise("elementwise", Op::rule, cubed), {{5, 7}}),
        [](const auto& x) { return elementwise(Cubed{}, x); });
  }
  {
    using Op = ops::elementwise_of_two<validator::linear, 2, 1>;
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>, L<Replicate<dp>, Shard<0, Ragged, tp>>>(
        Sample(validator::product("multiply by a row", Op::rule), {{3, 5}, {5}}),
        [](const auto& x, const auto& y) { return multiply(x, y); });
  }
  {
    using Op = ops::elementwise_of_many<Squared, 2, 1, 2>;
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>, L<Replicate<dp>, Shard<0, Ragged, tp>>,
          L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
        Sample(validator::pointwise("elementwise of three", Op::rule, squared), {{5, 7}, {7}, {5, 7}}),
        [](const auto&... x) { return elementwise(Squared{}, x...); });
  }
  {
    using Op = ops::elementwise_of_many<Squared, 2, 2, 1, 2>;
    check<As<Op>, L<Shard<1, Ragged, tp, dp>>, L<Shard<1, Ragged, tp, dp>>, L<Shard<0, Ragged, tp, dp>>,
          L<Shard<1, Ragged, tp, dp>>>(
        Sample(validator::pointwise("elementwise of four", Op::rule, squared), {{3, 5}, {3, 5}, {5}, {3, 5}}),
        [](const auto&... x) { return elementwise(Squared{}, x...); });
  }
  {
    using Op = ops::add<3, 1>;
    const auto total = [](const std::vector<validator::Number>& v) { return v[0] + v[1]; };
    check<As<Op>, L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>, L<Replicate<dp>, Shard<0, Balanced, tp>>>(
        Sample(validator::pointwise("add", Op::rule, total), {{3, 2, 5}, {5}}),
        [](const auto& x, const auto& y) { return add(x, y); });
  }
  {
    using Op = ops::cast<double, float, 2>;
    const auto same = [](const std::vector<validator::Number>& v) { return v[0]; };
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
        Sample(validator::pointwise("cast", Op::rule, same), {{5, 7}}, 1e-6),
        [](const auto& x) { return cast<double>(cast<float>(x)); });
  }
  {
    using Op = ops::dropout<2>;
    constexpr std::int64_t rows = 5, columns = 7;
    const DropoutKey key{3, 1, 4, 1};
    const Values one(rows * columns, 1.0);
    const Values kept = gather(dropout(put(mesh_, given<double>(layout<>, {rows, columns}, one)), 0.4, key));
    const Sample sample(
        validator::dropout(Op::rule, [&](std::int64_t place) { return kept[static_cast<std::size_t>(place)]; }),
        {{rows, columns}});
    const auto fn = [&](const auto& x) { return dropout(x, 0.4, key); };
    check<As<Op>, L<Shard<0, Ragged, dp>, Shard<1, Balanced, tp>>>(sample, fn);
    check<As<Op>, L<Partial<dp>, Shard<0, Ragged, tp>>>(sample, fn);
  }
}

template <class Mesh>
void Uneven<Mesh>::reductions() const {
  const auto same = [](const std::vector<validator::Number>& v) { return v[0]; };
  {
    using Op = ops::sum<2, 1>;
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
        Sample(validator::average("mean", Op::rule, same), {{5, 7}}), [](const auto& x) { return mean<1>(x); });
  }
  {
    using Op = ops::sum<2>;
    check<As<Op>, L<Shard<0, Ragged, tp, dp>>>(Sample(validator::average("mean", Op::rule, same), {{3, 5}}),
                                               [](const auto& x) { return mean(x); });
  }
  {
    using Op = ops::mean_squared_error<2>;
    const auto square = [](const std::vector<validator::Number>& v) { return (v[0] - v[1]) * (v[0] - v[1]); };
    using X = L<Shard<0, Balanced, tp>, Shard<1, Ragged, dp>>;
    check<As<Op>, X, X>(Sample(validator::average("mean_squared_error", Op::rule, square), {{5, 3}, {5, 3}}),
                        [](const auto& x, const auto& y) { return mean_squared_error(x, y); });
  }
  {
    using Op = ops::norm<2, 1>;
    const Sample sample(validator::euclidean_norm("norm", Op::rule), {{5, 7}});
    check<As<Op>, L<Shard<0, Ragged, tp, dp>>>(sample, [](const auto& x) { return norm<1>(x); });
    check<As<Op, 0, 0b10>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
        sample, [](const auto& x) { return norm<over<tp>, 1>(x); });
  }
  {
    using Op = ops::norm<3, 0, 2>;
    check<As<Op, 0, 0b11>, L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>>(
        Sample(validator::euclidean_norm("norm", Op::rule), {{3, 2, 5}}),
        [](const auto& x) { return norm<over<dp, tp>, 0, 2>(x); });
  }
  {
    using Op = ops::max<2, 1>;
    check<As<Op>, L<Shard<0, Ragged, dp>, Replicate<tp>>>(
        Sample(validator::extreme("max", Op::rule, true), {{5, 7}}), [](const auto& x) { return max<1>(x); });
  }
  {
    using Op = ops::min<3, 0, 2>;
    check<As<Op>, L<Shard<1, Balanced, tp, dp>>>(
        Sample(validator::extreme("min", Op::rule, false), {{2, 3, 4}}),
        [](const auto& x) { return min<0, 2>(x); });
  }
}

template <class Mesh>
void Uneven<Mesh>::lines() const {
  {
    using Op = ops::softmax<2, 1>;
    const Sample sample(validator::softmax("softmax", Op::rule, 1, false), {{7, 5}});
    check<As<Op>, L<Shard<0, Ragged, dp>, Replicate<tp>>>(sample, [](const auto& x) { return softmax<1>(x); });
    check<As<Op, 0, 0b10>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
        sample, [](const auto& x) { return softmax<over<tp>, 1>(x); });
    check<As<Op, 0, 0b11>, L<Shard<1, Balanced, dp, tp>>>(
        sample, [](const auto& x) { return softmax<over<dp, tp>, 1>(x); });
  }
  {
    using Op = ops::log_sum_exp<2, 0>;
    const Sample sample(validator::softmax("log_sum_exp", Op::rule, 0, true), {{3, 5}});
    check<As<Op>, L<Shard<1, Ragged, tp, dp>>>(sample, [](const auto& x) { return log_sum_exp<0>(x); });
    check<As<Op, 0, 0b01>, L<Shard<0, Ragged, dp>, Shard<1, Balanced, tp>>>(
        sample, [](const auto& x) { return log_sum_exp<over<dp>, 0>(x); });
  }
  {
    using Op = ops::layer_norm<3>;
    using Row = L<Replicate<dp, tp>>;
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>, Row, Row>(
        Sample(validator::norm("layer_norm", Op::rule, true), {{3, 5, 4}, {4}, {4}}),
        [](const auto& x, const auto& g, const auto& b) { return layer_norm(x, g, b); });
  }
  {
    using Op = ops::rms_norm<3>;
    check<As<Op>, L<Shard<0, Ragged, tp>, Shard<1, Balanced, dp>>, L<Replicate<dp, tp>>>(
        Sample(validator::norm("rms_norm", Op::rule, false), {{5, 3, 7}, {7}}),
        [](const auto& x, const auto& g) { return rms_norm(x, g); });
  }
}

template <class Mesh>
void Uneven<Mesh>::shapes() const {
  {
    using Op = ops::slice<2, 1>;
    const Sample sample(validator::slice(Op::rule), {{5, 7}});
    const auto fn = [](const auto& x) { return slice<1>(x, 1, 7); };
    check<As<Op>, L<Shard<0, Balanced, tp, dp>>>(sample, fn);
    check<As<Op>, L<Shard<0, Ragged, dp>, Partial<tp>>>(sample, fn);
  }
  {
    using Op = ops::concatenate<2, 1, 3>;
    const Sample sample(validator::concatenate(Op::rule), {{3, 2}, {3, 5}, {3, 1}});
    const auto fn = [](const auto& x, const auto& y, const auto& z) { return concatenate<1>(x, y, z); };
    using Cut = L<Shard<0, Ragged, dp>, Replicate<tp>>;
    check<As<Op>, Cut, Cut, Cut>(sample, fn);
    using Terms = L<Shard<0, Balanced, tp>, Partial<dp>>;
    check<As<Op>, Terms, Terms, Terms>(sample, fn);
  }
  {
    using Op = ops::transpose<2, 0, 1>;
    check<As<Op>, L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>>(
        Sample(validator::product("transpose", Op::rule), {{5, 2, 3}}),
        [](const auto& x) { return transpose<2, 0, 1>(x); });
  }
  check<As<OneOfThreeDims>, L<Shard<0, Ragged, tp>, Shard<2, Balanced, dp>>>(
      Sample(validator::flatten(), {{5, 2, 3}}), [](const auto& x) { return flatten<0, 1>(x); });
  check<As<OneOfThreeDims>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>>(
      Sample(validator::unflatten(), {{3, 10, 2}}), [](const auto& x) {
        return unflatten<1>(x, {5, 2});
      });
}

template <class Mesh>
void Uneven<Mesh>::masks() const {
  {
    using Op = ops::where<2, 1>;
    using X = L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>;
    check<As<Op, 0b001>, L<Shard<0, Ragged, tp>>, X, X>(
        Sample(validator::masked("where", Op::rule, 0, false), {{7}, {5, 7}, {5, 7}}),
        [](const auto& m, const auto& x, const auto& y) { return where(m, x, y); });
  }
  {
    using Op = ops::masked_fill<2, 1>;
    check<As<Op, 0b10>, L<Shard<1, Ragged, tp, dp>>, L<Shard<0, Ragged, tp, dp>>>(
        Sample(validator::masked("masked_fill", Op::rule, 1, true), {{5, 7}, {7}}),
        [](const auto& x, const auto& m) { return masked_fill(x, m, -3.0); });
  }
}

template <class Mesh>
void Uneven<Mesh>::indices() const {
  {
    using Op = ops::index_select<2, 0, 1>;
    const Sample sample(validator::index_select(), {{5, 3}, {7}});
    const auto fn = [](const auto& x, const auto& i) { return index_select<0>(x, i); };
    check<As<Op, 0b10>, L<Shard<0, Ragged, tp>, Replicate<dp>>, L<Shard<0, Balanced, dp>>>(sample, fn);
    check<As<Op, 0b10>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>, L<>>(sample, fn);
  }
  {
    using Op = ops::index_add<2, 0, 1>;
    check<As<Op, 0b10>, L<Shard<0, Ragged, dp>, Shard<1, Balanced, tp>>, L<Shard<0, Ragged, dp>>>(
        Sample(validator::index_add(), {{7, 3}, {7}}),
        [](const auto& x, const auto& i) { return index_add<0>(x, i, 4); });
  }
  {
    using Op = ops::embedding<1>;
    check<As<Op, 0b01>, L<Shard<0, Balanced, dp>>, L<Shard<0, Ragged, tp>, Replicate<dp>>>(
        Sample(validator::embedding(), {{7}, {5, 3}}),
        [](const auto& i, const auto& t) { return embedding(i, t); });
  }
  {
    using Op = ops::cross_entropy<2>;
    const Sample sample(validator::cross_entropy<2>("cross_entropy"), {{5, 7}, {5}});
    check<As<Op, 0b10, 0b10>, L<Shard<0, Ragged, dp>, Shard<1, Balanced, tp>>, L<Shard<0, Ragged, dp>>>(
        sample, [](const auto& x, const auto& t) { return cross_entropy<over<tp>>(x, t); });
    check<As<Op, 0b10, 0b10>, L<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>, L<Shard<0, Balanced, dp>>>(
        sample, [](const auto& x, const auto& t) { return cross_entropy<over<tp>>(x, t); });
    check<As<Op, 0b10>, L<Shard<0, Balanced, tp, dp>>, L<Shard<0, Balanced, tp, dp>>>(
        sample, [](const auto& x, const auto& t) { return cross_entropy(x, t); });
  }
  {
    using Op = ops::rotary<4>;
    const RotaryTable<double, Mesh> table(mesh_, 9, 2, 1e4);
    check<As<Op, 0b10>, L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>, L<Shard<0, Ragged, dp>>>(
        Sample(validator::rotary(), {{3, 4, 5, 2}, {3, 4}}),
        [&](const auto& x, const auto& at) { return rotary(x, at, table); });
  }
}

template <class Mesh>
void Uneven<Mesh>::attentions() const {
  {
    using Op = ops::attention<>;
    using X = L<Shard<0, Balanced, dp>, Shard<2, Ragged, tp>>;
    const std::vector<Shape> shapes(3, Shape{3, 4, 5, 2});
    check<As<Op>, X, X, X>(Sample(validator::attention("attention", Op::rule), shapes),
                           [](const auto&... x) { return attention(x..., tpx::Mask::causal); });
  }
  {
    using Op = ops::attention<true>;
    using X = L<Shard<0, Ragged, tp, dp>>;
    check<As<Op, 0b1000>, X, X, X, X>(Sample(validator::attention("attention of lengths", Op::rule),
                                             {{5, 3, 2, 4}, {5, 3, 2, 4}, {5, 3, 2, 4}, {5}}),
                                      [](const auto& q, const auto& k, const auto& v, const auto& n) {
                                        return attention(q, k, v, tpx::Mask::causal, n);
                                      });
  }
  {
    using Op = ops::grouped_attention<true>;
    using X = L<Shard<0, Ragged, dp>, Shard<2, Balanced, tp>>;
    check<As<Op, 0b1000>, X, X, X, L<Shard<0, Ragged, dp>>>(
        Sample(validator::grouped_attention("grouped_attention", Op::rule),
               {{3, 4, 5, 2, 2}, {3, 4, 5, 2}, {3, 4, 5, 2}, {3}}),
        [](const auto& q, const auto& k, const auto& v, const auto& n) {
          return attention(q, k, v, tpx::Mask::causal, n);
        });
  }
  {
    using Op = ops::shared_attention<>;
    using Keys = L<Shard<0, Balanced, dp>, Replicate<tp>>;
    check<As<Op>, L<Shard<0, Balanced, dp>, Shard<2, Ragged, tp>>, Keys, Keys>(
        Sample(validator::shared_attention("shared_attention", Op::rule),
               {{3, 4, 6, 2}, {3, 4, 3, 2}, {3, 4, 3, 2}}),
        [](const auto&... x) { return shared_attention(x..., tpx::Mask::causal); });
  }
}

template <class Mesh>
void Uneven<Mesh>::inference() const {
  using Row = L<Shard<0, Balanced, dp>>;
  check<As<ops::mean_pool, 0b10, 0, false>, L<Shard<0, Ragged, dp, tp>>, L<Shard<0, Ragged, dp, tp>>>(
      Sample(validator::mean_pool(), {{5, 3, 4}, {5}}),
      [](const auto& x, const auto& n) { return mean_pool(x, n); });
  check<As<ops::select_position<3>, 0b10, 0, false>, L<Shard<0, Balanced, dp>, Shard<2, Ragged, tp>>, Row>(
      Sample(validator::select_position(), {{5, 4, 3}, {5}}),
      [](const auto& x, const auto& i) { return select_position(x, i); });
  using Rows = L<Shard<0, Balanced, dp>, Shard<2, Ragged, tp>>;
  check<As<ops::store_positions<3>, 0b100, 0, false>, Rows, Rows, Row>(
      Sample(validator::store_positions(), {{3, 4, 5}, {3, 2, 5}, {3}}),
      [](const auto& cache, const auto& x, const auto& first) {
        store_positions(cache, x, first);
        return cache;
      });
  {
    const Sample sample(validator::sample(), {{5, 7}});
    const Shape shape = sample.shapes[0];
    const auto choose = [&]<class Logits>(Logits) {
      const Shape cut = validator::with_some_pieces(shape, spec_v<Logits, typename Mesh::axes>, world_.size());
      return gather(tpx::sample<over<tp>>(put(mesh_, Given<double, 2, Logits>{cut, sample.whole[0].data})));
    };
    const Values& expected = sample.expected.value.data;
    CHECK(as_double(choose(layout<Shard<0, Ragged, dp>, Shard<1, Balanced, tp>>)) == expected);
    CHECK(as_double(choose(layout<Shard<0, Balanced, dp>, Shard<1, Ragged, tp>>)) == expected);
  }
  {
    const Shape shape = validator::with_some_pieces(
        Shape{5, 2}, spec_v<L<Shard<0, Ragged, dp, tp>>, typename Mesh::axes>, world_.size());
    const auto ids = put(mesh_, Given<std::int32_t, 2, L<Shard<0, Ragged, dp, tp>>>{shape, Values(10, 0.0)});
    CHECK(gather(positions_of(ids)) == std::vector<std::int32_t>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1});
  }
  // A rank that has no element knows of no largest one.
  const Sample sample(validator::extreme("max", ops::max<2, 0>::rule, true), {{3, 5}});
  using Cut = L<Shard<0, Ragged, tp>, Shard<1, Balanced, dp>>;
  const Shape shape =
      validator::with_some_pieces(sample.shapes[0], spec_v<Cut, typename Mesh::axes>, world_.size());
  const auto largest = max<0>(put(mesh_, Given<double, 2, Cut>{shape, sample.whole[0].data}));
  CHECK(gather(redistribute<Invariant<tp>>(largest)) == sample.expected.value.data);
}

template <class F>
void on_each_mesh(F f) {
  for_each_mesh([&](const World& world, const auto& mesh) { f(Uneven(world, mesh)); });
}

}  // namespace

TEST_CASE("validator: products and elementwise ops on shards of any size, or none") {
  on_each_mesh([](const auto& uneven) {
    uneven.products();
    uneven.elementwise_ops();
  });
}

TEST_CASE("validator: reductions and ops along a dim on shards of any size, or none") {
  on_each_mesh([](const auto& uneven) {
    uneven.reductions();
    uneven.lines();
    uneven.shapes();
  });
}

TEST_CASE("validator: ops told by masks, numbers and lengths on shards of any size, or none") {
  on_each_mesh([](const auto& uneven) {
    uneven.masks();
    uneven.indices();
    uneven.attentions();
    uneven.inference();
  });
}
