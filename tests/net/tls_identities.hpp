#pragma once

// Certificates of all kinds, created with the openssl command when tests need them.

#include "support/temporary_folder.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace tare::testing {

struct files {
  std::string certificate;
  std::string key;
};

/// An authority and the certificates that it has signed, in their own folder.
class authority {
 public:
  authority() {
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout " +
        path("authority.key") + " -out " + path("authority.pem"));
  }

  [[nodiscard]] std::string certificate() const { return path("authority.pem"); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() / name; }

  /// `names` is in the format of subjectAltName: "DNS:a.example,DNS:*.b.example", or empty. `kind` is "ec" or "rsa".
  [[nodiscard]] files sign(const std::string& name, const std::string& subject, const std::string& names,
                           const std::string& kind = "ec", int days = 2) const {
    const files made{.certificate = path(name + ".pem"), .key = path(name + ".key")};
    const std::string key = kind == "rsa" ? "rsa:2048" : "ec -pkeyopt ec_paramgen_curve:P-256";
    run("openssl req -newkey " + key + " -nodes -subj '" + subject + "' -keyout " + made.key + " -out " +
        path("request.pem"));
    const auto extensions = folder_.write("extensions", names.empty() ? "" : "subjectAltName=" + names + "\n");
    run("openssl x509 -req -in " + path("request.pem") + " -CA " + path("authority.pem") + " -CAkey " +
        path("authority.key") + " -CAcreateserial -days " + std::to_string(days) + " -extfile " +
        std::string(extensions) + " -out " + made.certificate);
    return made;
  }

  /// A client certificate that is valid for this long.
  [[nodiscard]] files sign_until(const std::string& name, std::chrono::seconds valid) const {
    const files made = sign(name, "/CN=" + name, "");
    const auto read = [](const std::string& file, auto by) {
      const std::unique_ptr<BIO, decltype([](BIO* b) { ::BIO_free(b); })> bio(::BIO_new_file(file.c_str(), "r"));
      return by(bio.get(), nullptr, nullptr, nullptr);
    };
    X509* const certificate = read(made.certificate, &::PEM_read_bio_X509);
    EVP_PKEY* const key = read(path("authority.key"), &::PEM_read_bio_PrivateKey);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate), valid.count());
    ::X509_sign(certificate, key, ::EVP_sha256());
    BIO* const out = ::BIO_new_file(made.certificate.c_str(), "w");
    ::PEM_write_bio_X509(out, certificate);
    ::BIO_free(out);
    ::EVP_PKEY_free(key);
    ::X509_free(certificate);
    return made;
  }

  /// Shared by all tests that need nothing unusual.
  static const authority& shared() {
    static const authority made;
    return made;
  }

 private:
  static void run(const std::string& command) {
    // NOLINTNEXTLINE(bugprone-command-processor,concurrency-mt-unsafe): of our own words, in the only thread
    if (std::system((command + " 2>/dev/null").c_str()) != 0) throw std::runtime_error(command);
  }

  support::temporary_folder folder_;
};

}  // namespace tare::testing
