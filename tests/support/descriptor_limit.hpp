#pragma once

// Lets the process run out of descriptors.

#include <sys/resource.h>
#include <unistd.h>

namespace support {

/// Lowers the descriptor limit to what is open plus `spare`.
class descriptor_limit {
 public:
  explicit descriptor_limit(rlim_t spare) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit lowered = before_;
    const int next = ::dup(0);
    ::close(next);
    lowered.rlim_cur = static_cast<rlim_t>(next) + spare;
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace support
