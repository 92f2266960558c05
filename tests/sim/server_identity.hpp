#pragma once

// A certificate for the host `server`, valid from 2020 to 2049, and its key: fixed, because the bytes on the wire
// depend on them. They protect nothing.

#include "support/temporary_folder.hpp"

#include <string>

namespace tare::testing {

struct server_identity {
  static const server_identity& shared() {
    static const server_identity made;
    return made;
  }

  support::temporary_folder folder;
  std::string certificate = folder.write("certificate.pem", R"(-----BEGIN CERTIFICATE-----
MIIBVTCB/KADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBnNlcnZlcjAe
Fw0yMDAxMDEwMDAwMDBaFw00OTEyMzEyMzU5NTlaMBExDzANBgNVBAMMBnNlcnZl
cjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMncDSA5HLcsQs6qxCBsyq9lv+Yv
nOeGBxD8uim3J+COGDLF8Nn66qaG7gl85DK1uEJXzgGQC1K0axJe1SvzYnSjRTBD
MA8GA1UdEwEB/wQFMAMBAf8wEQYDVR0RBAowCIIGc2VydmVyMB0GA1UdDgQWBBTc
ABt6+UKHSBuCVQGb8F+opxH3WDAKBggqhkjOPQQDAgNIADBFAiAVjWl24C9MFAAV
KaZXE0qNiDn7cISlILfe8qaiCBpYhAIhAKClKF0IRAwoO67ZZBenaOv2DyMz7GIt
qw5UwBNJmP/k
-----END CERTIFICATE-----
)");
  std::string key = folder.write("key.pem", R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFOzgxfKrlg6Nccs4
KomGjXzLUl6EBERHetPWbGSxozuhRANCAATJ3A0gORy3LELOqsQgbMqvZb/mL5zn
hgcQ/LoptyfgjhgyxfDZ+uqmhu4JfOQytbhCV84BkAtStGsSXtUr82J0
-----END PRIVATE KEY-----
)");
};

}  // namespace tare::testing
