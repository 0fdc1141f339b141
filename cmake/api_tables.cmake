# The tables of AWS operations: src/api/generate makes C++ of src/api/models/<service>.json and
# src/api/rows/<service>.rows, which becomes part of the module api. A row that does not say all
# that must be said fails the build. Why so: docs/decisions/0020-tables-of-operations.md.
set(api ${PROJECT_SOURCE_DIR}/src/api)

file(GLOB sources CONFIGURE_DEPENDS ${api}/generate/*.cc)
file(GLOB tests CONFIGURE_DEPENDS ${api}/generate/*_test.cc)
list(REMOVE_ITEM sources ${tests} ${api}/generate/main.cc)
add_library(gnomon_api_generate STATIC ${sources})
target_link_libraries(gnomon_api_generate PUBLIC gnomon_json PRIVATE Boost::headers re2)
add_executable(api_tables ${api}/generate/main.cc)
target_link_libraries(api_tables PRIVATE gnomon_api_generate)

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/api)
file(GLOB rows CONFIGURE_DEPENDS ${api}/rows/*.rows)
foreach(path ${rows})
  get_filename_component(service ${path} NAME_WE)
  set(model ${api}/models/${service}.json)
  set(made ${PROJECT_BINARY_DIR}/api/${service}_table.cc)
  add_custom_command(OUTPUT ${made}
    COMMAND api_tables ${model} ${path} ${made}
    DEPENDS api_tables ${model} ${path}
    COMMENT "Tables of ${service}" VERBATIM)
  target_sources(gnomon_api PRIVATE ${made})
endforeach()

if(tests AND GNOMON_TESTS)
  add_executable(api_generate_test ${tests})
  target_link_libraries(api_generate_test PRIVATE gnomon_api_generate gnomon_testing)
  add_dependencies(unit_tests api_generate_test)
  add_test(NAME api_generate COMMAND api_generate_test WORKING_DIRECTORY ${api}/generate)
  set_tests_properties(api_generate PROPERTIES LABELS unit TIMEOUT 300)
endif()
