#pragma once

// Single faults that `explore` asks for, counted where they can happen.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tare::sim::detail {

struct faults {
  /// What happens after a write has been cut.
  enum class end : std::uint8_t { reset, silence };

  bool counts = false;
  bool calls_wait = false;   ///< each send or receive on a socket that does not block fails with EAGAIN once
  std::uint64_t waited = 0;  ///< calls that did
  std::uint64_t writes = 0;  ///< calls that sent bytes
  std::uint64_t reads = 0;   ///< segments that arrived

  std::uint64_t cut_write = 0;  ///< the number of the write that is cut; 0: none
  std::size_t cut_after = 0;    ///< bytes of it that arrive
  end then = end::reset;
  std::uint64_t split_read = 0;  ///< the number of the segment that arrives in two pieces; 0: none
  std::size_t split_after = 0;
  std::uint64_t file_calls = 0;          ///< that read, change or sync a file, or change a name
  std::uint64_t failing_file_call = 0;   ///< the number of the one that fails with EIO; 0: none
  std::vector<std::size_t> write_bytes;  ///< of each write, when nothing is injected
  std::vector<std::size_t> read_bytes;   ///< of each segment
};

}  // namespace tare::sim::detail
