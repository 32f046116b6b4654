// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/layout/axis.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/layout.hpp>
#include <tpx/mesh/axis_communicators.hpp>

namespace tpx {

/// A mesh axis whose size the type knows: `make_mesh<dp, Sized<tp, 2>>(world)`.
template <class Axis, int Size>
struct Sized {
  static_assert(Size >= 1, "tpx::Sized: an axis has at least one rank");
};

/// What a mesh keeps for its execution space: the instance that kernels run on and the memory they use.
/// Declared here, where the execution space is only a name; each space's is defined above (tensor/).
template <class Exec>
class Context;

namespace detail {

/// Where kernels run: the execution space itself, or the one in a policy that says more of it (tensor/).
template <class Exec>
struct space_of {
  using type = Exec;
};

template <class Axis>
struct sized_axis {
  using type = Axis;
  static constexpr int size = 0;  // comes from the launch
};
template <class Axis, int Size>
struct sized_axis<Sized<Axis, Size>> {
  using type = Axis;
  static constexpr int size = Size;
};

template <bool fits, class... Facts>
constexpr void a_mesh_has_the_axis() {
  static_assert(fits, "tpx::DeviceMesh: the axis is one of the mesh's (see axis, mesh)");
}

template <class... Axes>
inline constexpr bool distinct_axes = [] {
  using list = typename append_new<AxisList<>, Axes...>::type;
  return list::size == static_cast<int>(sizeof...(Axes));
}();

}  // namespace detail

/// Ranks arranged along named axes, major axis first, the last axis innermost: on a mesh `<dp, tp>` of
/// 2 x 4 the ranks 0 to 3 are one tp group.
///
/// The mesh's type carries the policies, the communicator and the execution space; tensors get theirs from
/// it. A handle: copies share the communicators and the context, and tensors keep them alive.
///
/// @tparam Axes  mesh axes, or `Sized<Axis, n>` where the type knows the size
template <class Comm, class Exec, class... Axes>
class DeviceMesh {
  static_assert(comm::Communicator<Comm>,
                "tpx::DeviceMesh: Comm must be a Communicator, as env.world(), comm::Mpi and comm::Self are");
  static_assert(sizeof...(Axes) >= 1 && sizeof...(Axes) <= detail::max_axes,
                "tpx::DeviceMesh: a mesh has one to four axes");
  static_assert((MeshAxis<typename detail::sized_axis<Axes>::type> && ...),
                "tpx::DeviceMesh: an axis is an empty struct with a static name");
  static_assert(detail::distinct_axes<typename detail::sized_axis<Axes>::type...>,
                "tpx::DeviceMesh: an axis stands in a mesh once");

 public:
  using communicator_type = Comm;
  using execution_space = typename detail::space_of<Exec>::type;
  using axes = AxisList<typename detail::sized_axis<Axes>::type...>;
  /// Sizes of the axes, 0 where they come from the launch.
  static constexpr int static_sizes[sizeof...(Axes)] = {detail::sized_axis<Axes>::size...};
  using context_type = Context<Exec>;

  /// Arranges the ranks of `world`; sizes of 0 are for axes that know theirs, or, for one axis, whatever is
  /// left.
  ///
  /// @pre    the product of the sizes is the number of ranks
  /// @throws tpx::Error, on every rank alike, naming the sizes and the number of ranks
  /// @comm   makes a communicator for every set of axes with more than one rank
  DeviceMesh(const Comm& world, std::vector<int> sizes, std::shared_ptr<context_type> context)
      : DeviceMesh(arrange(world, std::move(sizes)), world, std::move(context)) {
    if constexpr (context_type::has_memory) {  // a rank of an abstract mesh is nowhere
      detail::Whereabouts& here = detail::whereabouts();
      here.rank = world.rank();
      here.coordinate = coordinate_text();
    }
  }

  static constexpr std::span<const std::string_view> names() { return detail::names_of<axes>; }

  const Grid& grid() const { return shared_->grid; }
  context_type& context() const { return *shared_->context; }

  /// Number of ranks along an axis; a constant where the type knows it.
  template <class Axis>
  constexpr int size() const {
    constexpr int at = place<Axis>();
    if constexpr (static_sizes[at] > 0) {
      return static_sizes[at];
    } else {
      return grid().size[at];
    }
  }
  /// Number of all ranks.
  int size() const { return grid().ranks(~0u); }

  /// Where this rank stands along an axis.
  template <class Axis>
  int coordinate() const {
    return grid().coordinate[place<Axis>()];
  }

  /// This rank's number among all, as the axes count: 0 is where the mesh begins.
  int rank() const {
    int r = 0;
    for (int a = 0; a < grid().axes; ++a) r = r * grid().size[a] + grid().coordinate[a];
    return r;
  }

  /// The ranks that differ in the coordinates of the axes in `mask` (a bit for each) only.
  /// @pre they are more than one
  const Comm& communicator(unsigned mask) const {
    TPX_EXPECTS(shared_->communicators != nullptr,
                "a communicator of one rank is not made: there is nobody to talk to");
    return shared_->communicators->over(mask);
  }
  /// The same, the axes named: `mesh.communicator<dp, tp>()`.
  template <class... Some>
  requires(sizeof...(Some) > 0) const Comm& communicator() const {
    return communicator((0u | ... | (1u << place<Some>())));
  }

  /// What was sent on the mesh, where its communicator records it (comm::Recording).
  auto& log() const requires requires(const Comm& comm) { comm.log(); }
  {
    TPX_EXPECTS(shared_->communicators != nullptr,
                "a sub-mesh of one rank has no communicator, and sends nothing");
    return shared_->communicators->world().log();
  }

  /// Whether the other is a handle of this very mesh: the same communicators, the same context.
  bool is(const DeviceMesh& other) const {
    return shared_ == other.shared_ || (shared_->communicators == other.shared_->communicators &&
                                        shared_->context == other.shared_->context);
  }

  /// "dp=0,tp=1"
  std::string coordinate_text() const {
    std::string text;
    for (int a = 0; a < grid().axes; ++a) {
      if (a > 0) text += ',';
      text += names()[static_cast<std::size_t>(a)];
      text += '=';
      text += std::to_string(grid().coordinate[a]);
    }
    return text;
  }

  /// The mesh of some of the axes through this rank; it shares the context.
  /// @comm makes communicators, as the constructor does
  template <class... Some>
  DeviceMesh<Comm, Exec, Some...> submesh() const {
    static_assert(ascending<Some...>(), "tpx::DeviceMesh::submesh: the axes keep their order");
    const unsigned mask = (0u | ... | (1u << place<Some>()));
    std::vector<int> sizes{size<Some>()...};
    if (grid().ranks(mask) > 1) {
      const detail::Whereabouts here = detail::whereabouts();
      DeviceMesh<Comm, Exec, Some...> sub(communicator(mask), std::move(sizes), shared_->context);
      detail::whereabouts() = here;  // errors go on naming the place in the whole mesh
      return sub;
    }
    return DeviceMesh<Comm, Exec, Some...>(*this, std::move(sizes));
  }

  /// The same ranks and communicators with another context, for work beside this mesh's own.
  DeviceMesh with_context(std::shared_ptr<context_type> context) const {
    return DeviceMesh({shared_->grid, shared_->communicators, std::move(context)});
  }

 private:
  template <class, class, class...>
  friend class DeviceMesh;

  /// What all copies share: one count goes up and down with a handle.
  struct Shared {
    Grid grid;
    std::shared_ptr<const detail::AxisCommunicators<Comm>> communicators;
    std::shared_ptr<context_type> context;
  };

  explicit DeviceMesh(Shared shared) : shared_(std::make_shared<const Shared>(std::move(shared))) {}
  DeviceMesh(const Grid& grid, const Comm& world, std::shared_ptr<context_type> context)
      : DeviceMesh({grid, std::make_shared<detail::AxisCommunicators<Comm>>(world, grid, names()),
                    std::move(context)}) {}

  /// A sub-mesh of one rank: it needs no communicator.
  template <class... More>
  DeviceMesh(const DeviceMesh<Comm, Exec, More...>& whole, std::vector<int> sizes)
      : DeviceMesh({Grid{static_cast<int>(sizes.size())}, nullptr, whole.shared_->context}) {}

  template <class Axis>
  static constexpr int place() {
    constexpr int at = detail::index_of<Axis, axes>;
    detail::a_mesh_has_the_axis<(at >= 0), detail::axis<Axis>, detail::mesh<axes>>();
    return at < 0 ? 0 : at;
  }

  template <class... Some>
  static constexpr bool ascending() {
    int last = -1;
    bool ok = true;
    ((ok = ok && place<Some>() > last, last = place<Some>()), ...);
    return ok || !detail::names_axes_of<over<Some...>, axes>;
  }

  static Grid arrange(const Comm& world, std::vector<int> sizes) {
    constexpr int n = axes::size;
    const auto text = [&](const std::vector<int>& of) {
      std::string s;
      for (std::size_t a = 0; a < of.size(); ++a) {
        if (a > 0) s += " x ";
        s += names()[a];
        s += '=';
        s += std::to_string(of[a]);
      }
      return s;
    };
    if (sizes.empty()) sizes.assign(n, 0);
    if (static_cast<int>(sizes.size()) != n)
      fail("tpx::make_mesh: one size for each axis; the mesh has " + std::to_string(n) + " axes, given were " +
           std::to_string(sizes.size()) + " sizes");
    long long product = 1;
    int left = -1, open = 0;
    for (int a = 0; a < n; ++a) {
      int& size = sizes[static_cast<std::size_t>(a)];
      if (static_sizes[a] > 0 && size != 0 && size != static_sizes[a])
        fail("tpx::make_mesh: " + text(sizes) + " contradicts the mesh's type, where " +
             std::string(names()[static_cast<std::size_t>(a)]) + " has " + std::to_string(static_sizes[a]) +
             " ranks");
      if (static_sizes[a] > 0) size = static_sizes[a];
      if (size < 0) fail("tpx::make_mesh: an axis has at least one rank; given was " + text(sizes));
      if (size == 0) {
        left = a;
        ++open;
      } else {
        if (product > std::numeric_limits<long long>::max() / size)
          fail("tpx::make_mesh: the axis sizes multiply to the number of ranks; " + text(sizes) +
               " are more ranks than can be counted");
        product *= size;
      }
    }
    if (open > 1) fail("tpx::make_mesh: one axis at most takes what is left; name the sizes of the others");
    if (open == 1 && world.size() % product == 0) {
      sizes[static_cast<std::size_t>(left)] = static_cast<int>(world.size() / product);
      product = world.size();
    }
    if (product != world.size())
      fail("tpx::make_mesh: the axis sizes multiply to the number of ranks; " + text(sizes) + " are " +
           std::to_string(product) + " ranks, the communicator has " + std::to_string(world.size()));
    Grid grid;
    grid.axes = n;
    int rank = world.rank();
    for (int a = n - 1; a >= 0; --a) {
      grid.size[a] = sizes[static_cast<std::size_t>(a)];
      grid.coordinate[a] = rank % grid.size[a];
      rank /= grid.size[a];
    }
    return grid;
  }

  std::shared_ptr<const Shared> shared_;
};

}  // namespace tpx
