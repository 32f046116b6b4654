# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# To be sourced: launch RANKS PROGRAM ARGUMENTS... replaces the shell by the program on so many ranks. What the
# caller has set in the environment stays.

launch() {
  local ranks=$1
  shift
  # Open MPI refuses the root account and more ranks than cores unless told, and would bind a rank and all of
  # its threads to one core.
  export OMPI_ALLOW_RUN_AS_ROOT=${OMPI_ALLOW_RUN_AS_ROOT:-1}
  export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:-1}
  export OMPI_MCA_rmaps_base_oversubscribe=${OMPI_MCA_rmaps_base_oversubscribe:-1}
  export OMPI_MCA_hwloc_base_binding_policy=${OMPI_MCA_hwloc_base_binding_policy:-none}
  # The cores are shared out among the ranks.
  local threads=$(($(nproc) / ranks))
  if [ "$threads" -lt 1 ]; then threads=1; fi
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$threads}
  export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$OMP_NUM_THREADS}
  export OMP_PROC_BIND=${OMP_PROC_BIND:-false}
  # Threads of OpenMP that wait actively hold the cores of the BLAS's own threads: a rank of two took three times as long.
  export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
  exec mpiexec -n "$ranks" "$@"
}
