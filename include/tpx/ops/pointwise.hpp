// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/pointwise.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

template <int N, Linearity linearity>
struct pointwise {
  static constexpr OpRule rule = op_rule("... -> ...", linearity, {N});
};
template <int N>
struct gelu : pointwise<N, Linearity::nonlinear> {};
template <int N>
struct scale : pointwise<N, Linearity::product> {};

}  // namespace ops

namespace detail {

/// The two forms of GELU as kernels.
struct GeluExact {
  static constexpr std::int64_t flops = 12;
  static constexpr auto forward = [](auto&&... args) { kernel::gelu(args...); };
  static constexpr auto backward = [](auto&&... args) { kernel::gelu_backward(args...); };
};
struct GeluTanh {
  static constexpr std::int64_t flops = 12;
  static constexpr auto forward = [](auto&&... args) { kernel::gelu_tanh(args...); };
  static constexpr auto backward = [](auto&&... args) { kernel::gelu_tanh_backward(args...); };
};

template <class Form, class T, class Mesh>
void activation_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::gelu_bwd");
  const std::int64_t n = r.extent[0];
  const T* x = r.saved[0].template as<T>();
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch({2 * Form::flops * n, 3 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    Form::backward(exec, x, dy, dx.data, n, dx.accumulate);
  });
}

template <class Form, class X>
auto activation(const X& x) {
  using Op = ops::gelu<X::ndim>;
  if constexpr (!admits<Op, over<>, X>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    const Region region("tpx::gelu");
    const std::int64_t n = x.local_count();
    auto y = make_result<Op, T, X::ndim, over<>>(x.shape(), x);
    const T* in = x.data();
    x.mesh().context().launch({Form::flops * n, 2 * n * std::int64_t{sizeof(T)}},
                              [&](const auto& exec) { Form::forward(exec, in, y.data(), n); });
    return record(
        std::move(y), &activation_backward<Form, T, typename X::mesh_type>,
        [&](auto& r) {
          r.saved[0] = x.shard();
          r.extent[0] = n;
        },
        x);
  }
}

template <class T, class Mesh>
void scale_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const std::int64_t n = r.extent[0];
  const T* dy = tape.template gradient_of<T>(r.out);
  Buffer dx = allocate<T>(tape.mesh(), n);
  tape.mesh().context().launch({n, 2 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::scale(exec, dy, dx.template as<T>(), n, static_cast<T>(r.scalar[0]));
  });
  tape.template give<T>(r.in[0], std::move(dx));
}

}  // namespace detail

/// The Gaussian error linear unit, elementwise.
///
///   y = x/2 (1 + erf(x / sqrt 2))
///
/// @pre    x is not Partial: gelu(a + b) is not gelu(a) + gelu(b)
/// @comm   none, forward or backward
/// @see    arXiv:1606.08415
template <Tensor X>
auto gelu(const X& x) {
  return detail::activation<detail::GeluExact>(x);
}

/// GELU in the form that GPT-2 uses.
///
///   y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
///
/// @comm   none, forward or backward
/// @see    arXiv:1606.08415, section 2
template <Tensor X>
auto gelu_tanh(const X& x) {
  return detail::activation<detail::GeluTanh>(x);
}

/// y = factor x, for any layout, Partial too.
/// @comm   none, forward or backward
template <Tensor X>
auto scale(const X& x, double factor) {
  using Op = ops::scale<X::ndim>;
  using T = typename X::element_type;
  static_assert(detail::admits<Op, over<>, X>());
  const detail::Region region("tpx::scale");
  const std::int64_t n = x.local_count();
  auto y = detail::make_result<Op, T, X::ndim, over<>>(x.shape(), x);
  const T* in = x.data();
  x.mesh().context().launch({n, 2 * n * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::scale(exec, in, y.data(), n, static_cast<T>(factor));
  });
  return detail::record(
      std::move(y), &detail::scale_backward<T, typename X::mesh_type>,
      [&](auto& r) {
        r.extent[0] = n;
        r.scalar[0] = factor;
      },
      x);
}

inline refused gelu(refused) { return {}; }
inline refused gelu_tanh(refused) { return {}; }
inline refused scale(refused, double) { return {}; }

}  // namespace tpx
