# Compiler settings for our own targets. Warnings are errors; ccache and mold are used when present.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(SASQ_CCACHE ccache)
if(SASQ_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${SASQ_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${SASQ_CCACHE}")
endif()

find_program(SASQ_MOLD mold)
if(SASQ_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(sasq_compile_options INTERFACE)
# CUDA sources have options of their own (Cuda.cmake).
target_compile_options(sasq_compile_options INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-unused-parameter
  -fno-math-errno -ffp-contract=off>)  # no contraction: the same bits whatever the instruction set
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(sasq_compile_options INTERFACE -Wthread-safety -Werror=thread-safety)
endif()

if(SASQ_SANITIZE)
  add_compile_options(-fsanitize=${SASQ_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${SASQ_SANITIZE})
endif()
