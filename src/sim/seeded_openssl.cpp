#include "sim/seeded_openssl.hpp"

#include "sim/random.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace tare::sim::detail {

namespace {

constexpr std::uint64_t purpose = 7;
random_sequence numbers(1, purpose);

int fill(unsigned char* into, int size) {
  for (int i = 0; i < size; ++i) into[i] = static_cast<unsigned char>(numbers.next());
  return 1;
}

// OpenSSL 3 calls this a method of the past, but asks it first, and has no other way that covers all its contexts.
const RAND_METHOD seeded{
    .seed = nullptr, .bytes = &fill, .cleanup = nullptr, .add = nullptr, .pseudorand = &fill, .status = [] {
      return 1;
    }};

}  // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

seeded_openssl::seeded_openssl(std::uint64_t seed) noexcept {
  // It reads its configuration now, and not in the simulation.
  (void)::OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  before_ = ::RAND_get_rand_method();
  numbers = random_sequence(seed, purpose);
  (void)::RAND_set_rand_method(&seeded);
}

seeded_openssl::~seeded_openssl() { (void)::RAND_set_rand_method(static_cast<const RAND_METHOD*>(before_)); }

#pragma GCC diagnostic pop

}  // namespace tare::sim::detail
