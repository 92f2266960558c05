#include "net/tls/server_certificates.hpp"

#include "net/tls/error.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

namespace tare::net::tls {

namespace {

using context_owner = std::unique_ptr<SSL_CTX, decltype([](SSL_CTX* freed) { ::SSL_CTX_free(freed); })>;

std::unexpected<context_error> error_about(const std::string& file) {
  return std::unexpected(context_error(openssl_error().error(), file));
}

std::string text_of(const ASN1_STRING* from) {
  const unsigned char* const bytes = ::ASN1_STRING_get0_data(from);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(::ASN1_STRING_length(from))};
}

/// The names that verification would check: those in subjectAltName, or the common name if there are none.
std::vector<std::string> host_names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* const all =
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    int type = 0;
    const auto* const value =
        static_cast<ASN1_STRING*>(::GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type));
    if (type == GEN_DNS) names.push_back(normal_name(text_of(value)));
  }
  ::GENERAL_NAMES_free(all);
  if (!names.empty()) return names;
  X509_NAME* const subject = ::X509_get_subject_name(certificate);
  const int last = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (last >= 0) {
    names.push_back(normal_name(text_of(::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, last)))));
  }
  return names;
}

}  // namespace

std::string normal_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string normal(host);
  std::ranges::transform(normal, normal.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return normal;
}

// A separate context reads the files, in the same way as OpenSSL does elsewhere.
std::expected<void, context_error> server_certificates::add(const certificate_files& files) {
  const context_owner reader(::SSL_CTX_new(::TLS_server_method()));
  if (reader == nullptr) return error_about({});
  if (::SSL_CTX_use_certificate_chain_file(reader.get(), files.certificate.c_str()) != 1) {
    return error_about(files.certificate);
  }
  if (::SSL_CTX_use_PrivateKey_file(reader.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return error_about(files.key);
  }
  if (::SSL_CTX_check_private_key(reader.get()) != 1) return error_about(files.key);

  loaded made;
  made.certificate.reset(::SSL_CTX_get0_certificate(reader.get()));
  ::X509_up_ref(made.certificate.get());
  made.key.reset(::SSL_CTX_get0_privatekey(reader.get()));
  ::EVP_PKEY_up_ref(made.key.get());
  STACK_OF(X509)* chain = nullptr;
  // NOLINTNEXTLINE(bugprone-multi-level-implicit-pointer-conversion): in a macro of OpenSSL
  ::SSL_CTX_get0_chain_certs(reader.get(), &chain);
  if (chain != nullptr) {
    made.chain.reset(::X509_chain_up_ref(chain));
    if (made.chain == nullptr) return error_about(files.certificate);
  }

  const auto names = host_names_of(made.certificate.get());
  if (names.empty() && !certificates_.empty()) {
    return std::unexpected(context_error(std::make_error_code(std::errc::invalid_argument), files.certificate));
  }
  if (certificates_.empty() && !names.empty()) default_name_ = names.front();
  certificates_.push_back(std::move(made));
  for (const std::string& each : names) {
    indices& its = by_name_[each];
    if (its.empty() || its.back() != certificates_.size() - 1) its.push_back(certificates_.size() - 1);
  }
  return {};
}

const server_certificates::indices* server_certificates::find(std::string_view host) const {
  const std::string name = normal_name(host);
  // No client requests the name "*.example.org".
  if (name.empty() || name.front() == '*') return nullptr;
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return &exact->second;
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string::npos) return nullptr;
  const auto wildcard = by_name_.find('*' + name.substr(dot));
  return wildcard == by_name_.end() ? nullptr : &wildcard->second;
}

bool server_certificates::knows(std::string_view host) const { return find(host) != nullptr; }

bool server_certificates::use(SSL* connection, std::string_view host) const {
  const indices first{0};
  const indices* chosen = find(host);
  // Certificates for the same name with other types of keys belong to the default too.
  if (chosen == nullptr && !default_name_.empty()) chosen = &by_name_.at(default_name_);
  if (chosen == nullptr) chosen = &first;
  ::SSL_certs_clear(connection);
  return std::ranges::all_of(*chosen, [&](std::size_t index) {
    const loaded& each = certificates_[index];
    return ::SSL_use_cert_and_key(connection, each.certificate.get(), each.key.get(), each.chain.get(), 1) == 1;
  });
}

bool server_certificates::use_default(SSL_CTX* context) const {
  const loaded& first = certificates_.front();
  return ::SSL_CTX_use_cert_and_key(context, first.certificate.get(), first.key.get(), first.chain.get(), 1) == 1;
}

}  // namespace tare::net::tls
