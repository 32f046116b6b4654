// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What programs compute and train with, floor by floor from the ground up. Include a floor's headers alone
// where less will do. By name only, because every program would wait for the compiler: files (tpx/io), ranks
// that are threads (tpx/comm/threads.hpp), and what plans and draws training jobs (tpx/train/planner.hpp,
// calibrate.hpp, pipeline_picture.hpp).

// core
#include <tpx/core/config.hpp>
#include <tpx/core/element.hpp>
#include <tpx/core/error.hpp>

// layout
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/layout.hpp>
#include <tpx/layout/plan.hpp>
#include <tpx/layout/print.hpp>
#include <tpx/layout/rule.hpp>

// comm
#include <tpx/comm/abstract.hpp>
#include <tpx/comm/mpi.hpp>
#include <tpx/comm/recording.hpp>
#include <tpx/comm/self.hpp>

// mesh
#include <tpx/mesh/device_mesh.hpp>
#include <tpx/mesh/stage_mesh.hpp>

// tensor
#include <tpx/tensor/dtensor.hpp>
#include <tpx/tensor/environment.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/host_copy.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/tensor/report.hpp>
#include <tpx/tensor/view.hpp>

// autodiff
#include <tpx/autodiff/backward.hpp>
#include <tpx/autodiff/parameter.hpp>
#include <tpx/autodiff/tape.hpp>

// ops
#include <tpx/ops/add.hpp>
#include <tpx/ops/attention.hpp>
#include <tpx/ops/cast.hpp>
#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/decode.hpp>
#include <tpx/ops/dropout.hpp>
#include <tpx/ops/einsum.hpp>
#include <tpx/ops/elementwise.hpp>
#include <tpx/ops/elementwise_many.hpp>
#include <tpx/ops/embedding.hpp>
#include <tpx/ops/extreme.hpp>
#include <tpx/ops/flatten.hpp>
#include <tpx/ops/index.hpp>
#include <tpx/ops/layer_norm.hpp>
#include <tpx/ops/local_region.hpp>
#include <tpx/ops/mask.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/mean_pool.hpp>
#include <tpx/ops/norm.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/recompute.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/ops/redistribute_add.hpp>
#include <tpx/ops/redistribute_async.hpp>
#include <tpx/ops/reduce.hpp>
#include <tpx/ops/rms_norm.hpp>
#include <tpx/ops/rotary.hpp>
#include <tpx/ops/sample.hpp>
#include <tpx/ops/shape.hpp>
#include <tpx/ops/softmax.hpp>
#include <tpx/ops/transfer.hpp>
#include <tpx/ops/user_op.hpp>

// nn
#include <tpx/nn/gpt.hpp>
#include <tpx/nn/layer_norm.hpp>
#include <tpx/nn/linear.hpp>
#include <tpx/nn/plan.hpp>
#include <tpx/nn/rms_norm.hpp>
#include <tpx/nn/transformer.hpp>

// train
#include <tpx/train/adamw.hpp>
#include <tpx/train/clip.hpp>
#include <tpx/train/gradients.hpp>
#include <tpx/train/schedule.hpp>
