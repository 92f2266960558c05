#pragma once

// During its lifetime, OpenSSL's random numbers come from the seed.

#include <cstdint>

namespace tare::sim::detail {

class seeded_openssl {
 public:
  explicit seeded_openssl(std::uint64_t seed) noexcept;
  seeded_openssl(const seeded_openssl&) = delete;
  seeded_openssl& operator=(const seeded_openssl&) = delete;
  ~seeded_openssl();

 private:
  const void* before_;
};

}  // namespace tare::sim::detail
