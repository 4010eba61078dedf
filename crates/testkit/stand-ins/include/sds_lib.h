// The memory of SDSoC's library, for stand-ins.
#pragma once
#include <cstdlib>
inline void *sds_alloc(std::size_t size) { return std::malloc(size); }
inline void sds_free(void *memory) { std::free(memory); }
