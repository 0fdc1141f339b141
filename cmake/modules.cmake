# A folder src/<module> is the static library gnomon_<module>; its *_test.cc files together are the
# test program <module>_test. Both follow from the files that exist and from cmake/layers.txt.

# Third-party libraries, linked by the module that owns them: their headers stop at its .cc files.
set(third_party_base spdlog::spdlog fmt::fmt)
set(third_party_metrics prometheus-cpp::core)
set(third_party_net Boost::headers)
set(third_party_server tomlplusplus::tomlplusplus)
set(third_party_cli CLI11::CLI11)

find_package(fmt REQUIRED CONFIG)
find_package(spdlog REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(Boost 1.81 REQUIRED CONFIG)
find_package(tomlplusplus REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(doctest REQUIRED CONFIG)

# doctest's main, shared by every test program.
add_library(gnomon_testing OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/src/testing/main.cc)
target_link_libraries(gnomon_testing PUBLIC gnomon_options doctest::doctest)

add_custom_target(unit_tests)

function(gnomon_add_module module edges)
  set(folder ${PROJECT_SOURCE_DIR}/src/${module})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${folder}/*_test.cc)
  if(tests)
    list(REMOVE_ITEM sources ${tests})
  endif()

  if(sources)
    add_library(gnomon_${module} STATIC ${sources})
    target_link_libraries(gnomon_${module} PUBLIC gnomon_options PRIVATE ${third_party_${module}})
    set(reach PUBLIC)
  else()  # a module of headers only, or one that nobody has written yet
    add_library(gnomon_${module} INTERFACE)
    target_link_libraries(gnomon_${module} INTERFACE gnomon_options ${third_party_${module}})
    set(reach INTERFACE)
  endif()
  foreach(edge ${edges})
    if(NOT TARGET gnomon_${edge})
      message(FATAL_ERROR "cmake/layers.txt: ${module} names ${edge}, which no line above it has")
    endif()
    target_link_libraries(gnomon_${module} ${reach} gnomon_${edge})
  endforeach()

  if(tests AND GNOMON_TESTS)
    add_executable(${module}_test ${tests})
    target_link_libraries(${module}_test PRIVATE gnomon_${module} gnomon_testing
                                                 ${third_party_${module}})
    add_dependencies(unit_tests ${module}_test)
    add_test(NAME ${module} COMMAND ${module}_test WORKING_DIRECTORY ${folder})
    set_tests_properties(${module} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS cmake/layers.txt fuzz/targets.txt)
file(STRINGS cmake/layers.txt lines REGEX "^[a-z]")
foreach(line ${lines})
  string(REGEX MATCH "^([a-z_]+):(.*)$" _ "${line}")
  set(module ${CMAKE_MATCH_1})
  separate_arguments(edges UNIX_COMMAND "${CMAKE_MATCH_2}")
  if(NOT module STREQUAL base)
    list(APPEND edges base)
    if(NOT module STREQUAL metrics)
      list(APPEND edges metrics)
    endif()
  endif()
  list(REMOVE_DUPLICATES edges)
  gnomon_add_module(${module} "${edges}")
endforeach()
