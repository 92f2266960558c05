#include <tare/net/tls_certificate.hpp>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#include <array>
#include <ctime>
#include <memory>
#include <new>
#include <string_view>

namespace tare::net::tls {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* freed) const noexcept {
    Free(freed);
  }
};

using x509_owner = std::unique_ptr<X509, freed_by<[](X509* x) { ::X509_free(x); }>>;
using bio_owner = std::unique_ptr<BIO, freed_by<[](BIO* b) { ::BIO_free(b); }>>;
using number_owner = std::unique_ptr<BIGNUM, freed_by<[](BIGNUM* n) { ::BN_free(n); }>>;
using names_owner = std::unique_ptr<GENERAL_NAMES, freed_by<[](GENERAL_NAMES* n) { ::GENERAL_NAMES_free(n); }>>;

std::string hex_of(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const unsigned char each : bytes) {
    text += digits[each >> 4U];
    text += digits[each & 15U];
  }
  return text;
}

std::string text_of(const ASN1_STRING* from) {
  const unsigned char* const bytes = ::ASN1_STRING_get0_data(from);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(::ASN1_STRING_length(from))};
}

std::string text_of(const X509_NAME* name) {
  const bio_owner text_bio(::BIO_new(::BIO_s_mem()));
  if (text_bio == nullptr) throw std::bad_alloc();
  constexpr unsigned long style = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (::X509_NAME_print_ex(text_bio.get(), name, 0, style) < 0) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(text_bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string common_name_of(X509_NAME* subject) {
  int last = -1;
  for (int index = -1; (index = ::X509_NAME_get_index_by_NID(subject, NID_commonName, index)) >= 0;) last = index;
  if (last < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ::ASN1_STRING_to_UTF8(&utf8, ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, last)));
  const std::unique_ptr<unsigned char, freed_by<[](unsigned char* p) { OPENSSL_free(p); }>> owner(utf8);
  return size < 0 ? std::string() : std::string(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int size = ::ASN1_STRING_length(bytes);
  if (size != 4 && size != 16) return {};
  const int family = size == 4 ? AF_INET : AF_INET6;
  return ::inet_ntop(family, ::ASN1_STRING_get0_data(bytes), text.data(), text.size()) == nullptr ? "" : text.data();
}

void read_names(X509* from, certificate& certificate) {
  const names_owner all(static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(from, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int type = 0;
    const void* const value = ::GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
    const auto* const text = static_cast<const ASN1_STRING*>(value);
    if (type == GEN_DNS) certificate.dns_names.push_back(text_of(text));
    if (type == GEN_EMAIL) certificate.emails.push_back(text_of(text));
    if (type == GEN_URI) certificate.uris.push_back(text_of(text));
    if (type == GEN_IPADD) certificate.addresses.push_back(address_of(text));
  }
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* from) noexcept {
  std::tm parts{};
  if (from == nullptr || ::ASN1_TIME_to_tm(from, &parts) != 1) return {};
  // A time after the last one that the clock can represent becomes that last one.
  const std::chrono::sys_days day(std::chrono::year(parts.tm_year + 1900) /
                                  std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)) /
                                  std::chrono::day(static_cast<unsigned>(parts.tm_mday)));
  const auto seconds = std::chrono::sys_seconds(day) + std::chrono::hours(parts.tm_hour) +
                       std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
  using clock = std::chrono::system_clock;
  if (seconds >= std::chrono::floor<std::chrono::seconds>(clock::time_point::max())) return clock::time_point::max();
  if (seconds <= std::chrono::ceil<std::chrono::seconds>(clock::time_point::min())) return clock::time_point::min();
  return seconds;
}

std::string serial_of(X509* from) {
  const number_owner number(::ASN1_INTEGER_to_BN(::X509_get0_serialNumber(from), nullptr));
  if (number == nullptr) return {};
  std::vector<unsigned char> bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  ::BN_bn2bin(number.get(), bytes.data());
  return hex_of(bytes);
}

}  // namespace

std::optional<certificate> parse_certificate(std::span<const std::byte> der) {
  const auto* cursor = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = cursor + der.size();
  const x509_owner parsed(::d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (parsed == nullptr || cursor != end) {
    ::ERR_clear_error();
    return std::nullopt;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_bytes = 0;
  if (::EVP_Digest(der.data(), der.size(), digest.data(), &digest_bytes, ::EVP_sha256(), nullptr) != 1) {
    ::ERR_clear_error();
    throw std::bad_alloc();
  }
  std::optional<certificate> made(std::in_place);
  made->subject = text_of(::X509_get_subject_name(parsed.get()));
  made->issuer = text_of(::X509_get_issuer_name(parsed.get()));
  made->common_name = common_name_of(::X509_get_subject_name(parsed.get()));
  made->serial = serial_of(parsed.get());
  read_names(parsed.get(), *made);
  made->not_before = time_of(::X509_get0_notBefore(parsed.get()));
  made->not_after = time_of(::X509_get0_notAfter(parsed.get()));
  made->sha256 = hex_of(std::span(digest).first(digest_bytes));
  made->der.assign(der.begin(), der.end());
  ::ERR_clear_error();
  return made;
}

}  // namespace tare::net::tls
