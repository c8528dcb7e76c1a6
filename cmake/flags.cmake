# faas_flags: what every file of ours is compiled and linked with.
add_library(faas_flags INTERFACE)
target_compile_options(faas_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
target_compile_definitions(faas_flags INTERFACE FAAS_VERSION="${PROJECT_VERSION}" FMT_HEADER_ONLY=1)
target_link_options(faas_flags INTERFACE -fuse-ld=lld -Wl,--gc-sections)

if(FAAS_SANITIZE MATCHES "^(asan|fuzz)$")
  # Clang 14 cannot place the function check's data beside a coroutine.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=function -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
  if(FAAS_SANITIZE STREQUAL "fuzz")
    # libFuzzer sees by these which inputs lead to new places; its main() comes with each target of tests/fuzz.
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
  endif()
elseif(FAAS_SANITIZE STREQUAL "tsan")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(FAAS_SANITIZE)
  message(FATAL_ERROR "FAAS_SANITIZE is '${FAAS_SANITIZE}': it is empty, asan, tsan or fuzz")
endif()

# The libraries of other people: their headers are not ours to warn about.
add_library(asio INTERFACE)
target_compile_definitions(asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
  BOOST_ASIO_SEPARATE_COMPILATION)
target_link_libraries(asio INTERFACE Threads::Threads)
