# cmake --install puts the program, the shipped model and the C++ library in place.
include(GNUInstallDirs)
