#pragma once

// A self-signed certificate for localhost and 127.0.0.1 and its key, in files that are removed with this object.

#include "support/temporary_folder.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace support {

struct identity {
  /// Shared by all tests of a program.
  static const identity& shared() {
    static const identity made;
    return made;
  }

  identity() : certificate(folder.path() / "certificate.pem"), key(folder.path() / "key.pem") {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
        key + " -out " + certificate + " 2>/dev/null";
    // NOLINTNEXTLINE(bugprone-command-processor,concurrency-mt-unsafe): of our own words, in the only thread
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl req failed");
  }

  temporary_folder folder;
  std::string certificate;
  std::string key;
};

}  // namespace support
