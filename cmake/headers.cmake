# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Every header, floor by floor from the ground up. A floor includes itself and the floors above it in this list
# only; tests/layers holds this to be true, and that no header is missing here.

set(TPX_FLOORS core layout comm mesh kernel tensor io autodiff ops nn train)

set(TPX_core_HEADERS
    tpx/core/config.hpp
    tpx/core/element.hpp
    tpx/core/error.hpp
    tpx/core/math.hpp
    tpx/core/philox.hpp
    tpx/core/reduction.hpp)
set(TPX_layout_HEADERS
    tpx/layout/axis.hpp
    tpx/layout/distribution.hpp
    tpx/layout/layout.hpp
    tpx/layout/placement.hpp
    tpx/layout/plan.hpp
    tpx/layout/print.hpp
    tpx/layout/refusal.hpp
    tpx/layout/rule.hpp
    tpx/layout/shape.hpp
    tpx/layout/spec.hpp)
set(TPX_comm_HEADERS
    tpx/comm/abstract.hpp
    tpx/comm/agree.hpp
    tpx/comm/arguments.hpp
    tpx/comm/combine.hpp
    tpx/comm/comm_log.hpp
    tpx/comm/communicator.hpp
    tpx/comm/mpi.hpp
    tpx/comm/mpi_support.hpp
    tpx/comm/recording.hpp
    tpx/comm/self.hpp
    tpx/comm/shared_memory.hpp
    tpx/comm/shared_memory_file.hpp
    tpx/comm/shared_memory_messages.hpp
    tpx/comm/shared_memory_reduce.hpp
    tpx/comm/shared_memory_window.hpp
    tpx/comm/threads.hpp
    tpx/comm/threads_group.hpp
    tpx/comm/threads_world.hpp)
set(TPX_mesh_HEADERS
    tpx/mesh/device_mesh.hpp)
set(TPX_kernel_HEADERS
    tpx/kernel/attention.hpp
    tpx/kernel/attention_groups.hpp
    tpx/kernel/attention_host.hpp
    tpx/kernel/attention_shape.hpp
    tpx/kernel/block.hpp
    tpx/kernel/copy.hpp
    tpx/kernel/cross_entropy.hpp
    tpx/kernel/difference.hpp
    tpx/kernel/elementwise.hpp
    tpx/kernel/embedding.hpp
    tpx/kernel/gemm.hpp
    tpx/kernel/group.hpp
    tpx/kernel/mask.hpp
    tpx/kernel/norm.hpp
    tpx/kernel/optimizer.hpp
    tpx/kernel/pointwise.hpp
    tpx/kernel/random.hpp
    tpx/kernel/reduce.hpp
    tpx/kernel/rms_norm.hpp
    tpx/kernel/softmax.hpp
    tpx/kernel/strided.hpp
    tpx/kernel/tile.hpp)
set(TPX_tensor_HEADERS
    tpx/tensor/buffer.hpp
    tpx/tensor/collective.hpp
    tpx/tensor/context.hpp
    tpx/tensor/dtensor.hpp
    tpx/tensor/environment.hpp
    tpx/tensor/factory.hpp
    tpx/tensor/host_copy.hpp
    tpx/tensor/make_mesh.hpp
    tpx/tensor/pool.hpp
    tpx/tensor/run_plan.hpp
    tpx/tensor/view.hpp)
set(TPX_io_HEADERS
    tpx/io/dequantize.hpp
    tpx/io/dtype.hpp
    tpx/io/gguf.hpp
    tpx/io/gguf_reader.hpp
    tpx/io/gguf_value.hpp
    tpx/io/half.hpp
    tpx/io/load.hpp
    tpx/io/mapped_file.hpp
    tpx/io/read_shard.hpp
    tpx/io/safetensors.hpp
    tpx/io/tensor_file.hpp
    tpx/io/write_safetensors.hpp)
# Of these, the ones that include nlohmann-json: compiled where it is found.
set(TPX_JSON_HEADERS
    tpx/io/safetensors.hpp
    tpx/io/write_safetensors.hpp)
set(TPX_autodiff_HEADERS
    tpx/autodiff/backward.hpp
    tpx/autodiff/parameter.hpp
    tpx/autodiff/tape.hpp)
set(TPX_ops_HEADERS
    tpx/ops/add.hpp
    tpx/ops/attention.hpp
    tpx/ops/cross_entropy.hpp
    tpx/ops/dropout.hpp
    tpx/ops/elementwise.hpp
    tpx/ops/embedding.hpp
    tpx/ops/layer_norm.hpp
    tpx/ops/mask.hpp
    tpx/ops/matmul.hpp
    tpx/ops/op.hpp
    tpx/ops/pointwise.hpp
    tpx/ops/redistribute.hpp
    tpx/ops/reduce.hpp
    tpx/ops/rms_norm.hpp
    tpx/ops/shape.hpp
    tpx/ops/softmax.hpp)
set(TPX_nn_HEADERS
    tpx/nn/gpt.hpp
    tpx/nn/init.hpp
    tpx/nn/layer_norm.hpp
    tpx/nn/linear.hpp
    tpx/nn/transformer.hpp)
set(TPX_train_HEADERS
    tpx/train/adamw.hpp
    tpx/train/clip.hpp
    tpx/train/gradients.hpp
    tpx/train/schedule.hpp)

# The entry header, above all floors.
set(TPX_entry_HEADERS
    tpx/tpx.hpp)

set(TPX_HEADERS "")
foreach(floor IN LISTS TPX_FLOORS ITEMS entry)
  list(APPEND TPX_HEADERS ${TPX_${floor}_HEADERS})
endforeach()
list(TRANSFORM TPX_HEADERS PREPEND "${CMAKE_CURRENT_LIST_DIR}/../include/")
