# LibTorch from unpacked PyPI wheels, as the imported target Torch::cpu and, with SASQ_CUDA,
# Torch::cuda. Deliberately not find_package(Torch): that one demands the CUDA toolkit, links
# libtorch_cuda.so into everything and fails with C++20 on CMake 3.25.
set(SASQ_LIBTORCH_ROOT "${PROJECT_SOURCE_DIR}/.deps/libtorch" CACHE PATH
    "Folder that holds torch/ and nvidia/ (scripts/fetch_libtorch.sh)")
set(_torch "${SASQ_LIBTORCH_ROOT}/torch")
if(NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch is not in ${SASQ_LIBTORCH_ROOT}. Run scripts/install_deps.sh, or pass "
                      "-DSASQ_LIBTORCH_ROOT=FOLDER.")
endif()

# Where the libraries are. For CUDA those of the complete wheel, of the same version; its headers
# stay out: it brings a Protobuf of its own.
set(_libraries "${SASQ_LIBTORCH_ROOT}")
if(SASQ_CUDA)
  file(GLOB _venv_packages "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages")
  set(SASQ_LIBTORCH_CUDA_ROOT "${_venv_packages}" CACHE PATH
      "Folder that holds the torch/ and nvidia/ of a complete PyTorch (scripts/install_deps.sh --cuda)")
  set(_libraries "${SASQ_LIBTORCH_CUDA_ROOT}")
  if(NOT EXISTS "${_libraries}/torch/lib/libtorch_cuda.so")
    message(FATAL_ERROR "There is no PyTorch with CUDA in ${_libraries}. Run scripts/install_deps.sh "
                        "--cuda, or pass -DSASQ_LIBTORCH_CUDA_ROOT=FOLDER.")
  endif()
endif()

# sasq_torch_library(NAME FILE): an imported library of LibTorch.
function(sasq_torch_library name file)
  add_library(${name} SHARED IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${_libraries}/torch/lib/${file}")
endfunction()

sasq_torch_library(Torch::c10 libc10.so)
target_include_directories(Torch::c10 SYSTEM INTERFACE
  "${_torch}/include" "${_torch}/include/torch/csrc/api/include")
sasq_torch_library(Torch::cpu libtorch_cpu.so)
target_link_libraries(Torch::cpu INTERFACE Torch::c10)
# libtorch_cpu.so needs libcudart.so.13 and libcupti.so.13; its own RPATH finds them beside torch/ at
# run time, the linker has to be told.
target_link_options(Torch::cpu INTERFACE "LINKER:-rpath-link,${_libraries}/nvidia/cu13/lib")

if(SASQ_CUDA)
  sasq_torch_library(Torch::c10_cuda libc10_cuda.so)
  sasq_torch_library(Torch::torch_cuda libtorch_cuda.so)
  # It registers its kernels when it is loaded: nothing refers to it by name.
  add_library(Torch::cuda INTERFACE IMPORTED GLOBAL)
  target_link_libraries(Torch::cuda INTERFACE Torch::cpu
    -Wl,--no-as-needed Torch::torch_cuda Torch::c10_cuda -Wl,--as-needed)
endif()
