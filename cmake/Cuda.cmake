# CUDA for the kernels (option SASQ_CUDA): nvcc from .deps/cuda (scripts/fetch_cuda.sh), or the one
# of $CUDA_HOME or PATH if that is newer than 12.8. No GPU is needed to build.
option(SASQ_CUDA "Build the CUDA kernels" OFF)
option(SASQ_CUDA_SM90A "Build also the INT8 product with Hopper's own instructions" OFF)
if(NOT SASQ_CUDA)
  return()
endif()

if(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc
    HINTS "${PROJECT_SOURCE_DIR}/.deps/cuda/bin" "$ENV{CUDA_HOME}/bin"
    DOC "CUDA's compiler, 12.8 or newer")
endif()
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "There is no nvcc. Run scripts/fetch_cuda.sh, or set CUDA_HOME.")
endif()

set(SASQ_CUTLASS_ROOT "${PROJECT_SOURCE_DIR}/.deps/cuda/cutlass" CACHE PATH "Folder of CUTLASS' include/")
if(NOT EXISTS "${SASQ_CUTLASS_ROOT}/include/cutlass/cutlass.h")
  message(FATAL_ERROR "CUTLASS is not in ${SASQ_CUTLASS_ROOT}. Run scripts/fetch_cuda.sh, or pass "
                      "-DSASQ_CUTLASS_ROOT=FOLDER.")
endif()

# INT8 tensor cores: Ampere, Ada, Hopper, Blackwell (data centre and desktop).
set(CMAKE_CUDA_ARCHITECTURES "80;89;90;100;120" CACHE STRING "Compute capabilities to compile for")
# Static, so that the program starts where there is no CUDA. An executable that defines the
# runtime's functions itself (a test's stub) comes before the archive and takes nothing from it.
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
if(SASQ_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${SASQ_CCACHE}")
endif()
enable_language(CUDA)
# CMake 3.25 does not know that nvcc takes C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
  message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} is of CUDA ${CMAKE_CUDA_COMPILER_VERSION}, want 12.8 or "
                      "newer. Run scripts/fetch_cuda.sh.")
endif()

# sasq_cuda_options(TARGET): how our CUDA sources are compiled. No contraction of a * b + c, as on the
# CPU: the same bits. Warnings are errors, of nvcc, of ptxas and of the host compiler.
function(sasq_cuda_options target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:
    --fmad=false --expt-relaxed-constexpr --Werror=all-warnings
    -Xcompiler=-Wall,-Wextra,-Wno-unused-parameter,-ffp-contract=off>)
endfunction()
