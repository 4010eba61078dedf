// A stand-in for XRT's buffers: plain memory.
#pragma once
#include "xrt_device.h"

namespace xrt {
class bo {
  public:
    bo(const device &, std::size_t size, int) : memory(std::make_shared<std::vector<char>>(size)) {}
    template <typename T> T map() { return reinterpret_cast<T>(memory->data()); }
    void sync(int) {}
    void *address() const { return memory->data(); }

  private:
    std::shared_ptr<std::vector<char>> memory;
};
} // namespace xrt
