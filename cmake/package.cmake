# The Debian package: `make package`, or cpack in a build folder where gnomon is built. The man page
# and the completions are what the program itself prints, so they cannot differ from it.
include(GNUInstallDirs)
set(made ${PROJECT_BINARY_DIR}/packaging)
file(MAKE_DIRECTORY ${made})
add_custom_command(TARGET gnomon POST_BUILD
  COMMAND gnomon manual > ${made}/gnomon.1
  COMMAND gnomon completions > ${made}/gnomon.bash)

install(TARGETS gnomon RUNTIME DESTINATION bin)
install(FILES ${made}/gnomon.1 DESTINATION share/man/man1)
install(FILES ${made}/gnomon.bash DESTINATION share/bash-completion/completions RENAME gnomon)
install(FILES packaging/gnomon.service DESTINATION lib/systemd/system)
install(FILES packaging/gnomon.toml DESTINATION /etc/gnomon)
install(FILES LICENSE DESTINATION share/doc/gnomon RENAME copyright)
install(FILES CHANGELOG.md DESTINATION share/doc/gnomon)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME gnomon)
set(CPACK_PACKAGE_CONTACT "The maintainers of Gnomon <maintainers@gnomon.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "MQTT broker: serverless IoT that you run yourself")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/packaging/conffiles;${PROJECT_SOURCE_DIR}/packaging/postinst"
    "${PROJECT_SOURCE_DIR}/packaging/prerm;${PROJECT_SOURCE_DIR}/packaging/postrm")
include(CPack)
