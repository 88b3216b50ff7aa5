# Finds an ns-3 to build against and defines one imported target, Ns3::Ns3, with the modules asked for
# as components. A missing OPTIONAL_COMPONENTS module is no error; Ns3_<module>_FOUND says whether it is there.
#
#   NS3_ROOT       a folder with include/ns3 and lib or lib64 (an ns-3 install tree, or the unpacked
#                  ns3 wheel from PyPI); NS3_ROOT=system asks pkg-config alone
#   pkg-config     otherwise, any ns-3 that it knows (Debian's libns3-dev)
#
# The wheel's own CMake package is not used: it names folders of the machine that it was built on.
#
# Sets Ns3_FOUND, Ns3_VERSION (say 3.44), Ns3_VERSION_MINOR (44), Ns3_LIBRARY_DIR.

include(FindPackageHandleStandardArgs)

set(Ns3_LIBRARIES "")
set(Ns3_VERSION "")

if(NS3_ROOT AND NOT NS3_ROOT STREQUAL "system")
  find_path(Ns3_INCLUDE_DIR ns3/core-module.h PATHS "${NS3_ROOT}/include" "${NS3_ROOT}/ns3/include"
            NO_DEFAULT_PATH)
  foreach(module ${Ns3_FIND_COMPONENTS})
    set(candidates "")
    foreach(folder lib lib64 ns3/lib ns3/lib64)
      file(GLOB found "${NS3_ROOT}/${folder}/libns3.[0-9]*-${module}.so"
           "${NS3_ROOT}/${folder}/libns3.[0-9]*-${module}-*.so")
      list(FILTER found INCLUDE REGEX
           "libns3\\.[0-9]+(\\.[0-9]+)?-${module}(-(default|release|optimized|debug))?\\.so$")
      list(APPEND candidates ${found})
    endforeach()
    if(candidates)
      list(GET candidates 0 library)
      list(APPEND Ns3_LIBRARIES "${library}")
      get_filename_component(Ns3_LIBRARY_DIR "${library}" DIRECTORY)
      string(REGEX MATCH "libns3\\.([0-9]+)" _ "${library}")
      set(Ns3_VERSION_MINOR "${CMAKE_MATCH_1}")
      set(Ns3_VERSION "3.${CMAKE_MATCH_1}")
      set(Ns3_${module}_FOUND TRUE)
    elseif(Ns3_FIND_REQUIRED_${module})
      list(APPEND Ns3_MISSING ${module})
    endif()
  endforeach()
else()
  find_package(PkgConfig QUIET)
  if(PKG_CONFIG_FOUND)
    foreach(module ${Ns3_FIND_COMPONENTS})
      # Debian names the files libns3-core.pc or ns3-core.pc, by release.
      pkg_search_module(Ns3_PC_${module} QUIET ns3-${module} libns3-${module} libns3.37-${module}
                        libns3.44-${module})
      if(Ns3_PC_${module}_FOUND)
        list(APPEND Ns3_LIBRARIES ${Ns3_PC_${module}_LINK_LIBRARIES})
        list(APPEND Ns3_INCLUDE_DIR ${Ns3_PC_${module}_INCLUDE_DIRS})
        set(Ns3_VERSION "${Ns3_PC_${module}_VERSION}")
        set(Ns3_${module}_FOUND TRUE)
      elseif(Ns3_FIND_REQUIRED_${module})
        list(APPEND Ns3_MISSING ${module})
      endif()
    endforeach()
    list(REMOVE_DUPLICATES Ns3_LIBRARIES)
    if(Ns3_LIBRARIES)
      list(GET Ns3_LIBRARIES 0 library)
      get_filename_component(Ns3_LIBRARY_DIR "${library}" DIRECTORY)
      find_path(Ns3_INCLUDE_HINT ns3/core-module.h PATHS ${Ns3_INCLUDE_DIR}
                PATH_SUFFIXES ns3.37 ns3.44)
      if(Ns3_INCLUDE_HINT)
        set(Ns3_INCLUDE_DIR "${Ns3_INCLUDE_HINT}")
      endif()
      # Debian's library names carry no version; its .pc files do.
      string(REGEX MATCH "^3\\.([0-9]+)" _ "${Ns3_VERSION}")
      set(Ns3_VERSION_MINOR "${CMAKE_MATCH_1}")
    endif()
  endif()
endif()

list(JOIN Ns3_MISSING ", " Ns3_MISSING_TEXT)
if(Ns3_MISSING)
  set(Ns3_LIBRARIES "")
endif()

find_package_handle_standard_args(
  Ns3
  REQUIRED_VARS Ns3_LIBRARIES Ns3_INCLUDE_DIR
  VERSION_VAR Ns3_VERSION
  REASON_FAILURE_MESSAGE
    "ns-3 was not found (NS3_ROOT='${NS3_ROOT}', modules missing: ${Ns3_MISSING_TEXT}). `splitsim build` fetches the ns3 wheel from PyPI. Or give -DNS3_ROOT=<folder with include/ns3 and lib>. Or install libns3-dev and give -DNS3_ROOT=system"
)

if(Ns3_FOUND AND NOT TARGET Ns3::Ns3)
  list(REMOVE_DUPLICATES Ns3_INCLUDE_DIR)
  add_library(Ns3::Ns3 INTERFACE IMPORTED)
  set_target_properties(
    Ns3::Ns3
    PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Ns3_INCLUDE_DIR}"
               INTERFACE_LINK_LIBRARIES "${Ns3_LIBRARIES}"
               # The wheel's config-store names GTK symbols that no library here has and nothing calls.
               INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined"
               INTERFACE_COMPILE_DEFINITIONS "SPLITSIM_NS3_MINOR=${Ns3_VERSION_MINOR}")
endif()
