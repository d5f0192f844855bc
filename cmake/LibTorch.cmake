# LibTorch from the unpacked PyPI wheel (scripts/fetch_libtorch.sh), as the
# imported target Torch::cpu. Deliberately not find_package(Torch): that one demands
# the CUDA toolkit, links libtorch_cuda.so and fails with C++20 on CMake 3.25.
set(SASQ_LIBTORCH_ROOT "${PROJECT_SOURCE_DIR}/.deps/libtorch" CACHE PATH
    "Folder that holds torch/ and nvidia/")
set(_torch "${SASQ_LIBTORCH_ROOT}/torch")
if(NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch is not in ${SASQ_LIBTORCH_ROOT}. Run scripts/install_deps.sh, or pass "
                      "-DSASQ_LIBTORCH_ROOT=FOLDER.")
endif()

add_library(Torch::c10 SHARED IMPORTED GLOBAL)
set_target_properties(Torch::c10 PROPERTIES
  IMPORTED_LOCATION "${_torch}/lib/libc10.so"
  INTERFACE_INCLUDE_DIRECTORIES "${_torch}/include;${_torch}/include/torch/csrc/api/include")

add_library(Torch::cpu SHARED IMPORTED GLOBAL)
set_target_properties(Torch::cpu PROPERTIES
  IMPORTED_LOCATION "${_torch}/lib/libtorch_cpu.so"
  INTERFACE_LINK_LIBRARIES Torch::c10)
# libtorch_cpu.so needs libcudart.so.13 and libcupti.so.13; its own RPATH finds them beside torch/ at
# run time, the linker has to be told.
target_link_options(Torch::cpu INTERFACE
  "LINKER:-rpath-link,${SASQ_LIBTORCH_ROOT}/nvidia/cu13/lib")
