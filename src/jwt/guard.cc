#include "jwt/guard.h"

namespace faas::jwt {
namespace {

Judgement refuse(std::string text) {
  return {.kind = Judgement::Kind::unauthenticated, .text = std::move(text)};
}

Judgement of_verdict(const Verdict& verdict, UnixSeconds now) {
  const auto in_time = check_time(verdict.not_before, verdict.expires_at, now);
  if (!in_time) return refuse(in_time.error().text);
  if (!verdict.permitted) return {.kind = Judgement::Kind::forbidden, .text = "insufficient permissions"};
  return {.kind = Judgement::Kind::admitted, .text = {}};
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view scheme = "Bearer ";
  if (authorization.starts_with(scheme)) authorization.remove_prefix(scheme.size());
  return authorization;
}

void Guard::trust(std::string issuer, KeySet keys) {
  if (issuer != issuer_ || !keys.same_as(keys_)) cache_.clear();
  issuer_ = std::move(issuer);
  keys_ = std::move(keys);
}

Judgement Guard::judge(std::string_view token, UnixSeconds now) {
  const auto* known = cache_.find(token);
  if (known == nullptr) return examine(token, now);
  const bool expired = known->expires_at && now >= *known->expires_at + kLeeway;
  auto judgement = of_verdict(*known, now);
  if (expired) cache_.forget(token);
  return judgement;
}

Judgement Guard::examine(std::string_view text, UnixSeconds now) {
  const auto token = parse_token(text);
  if (!token) return refuse(token.error().text);
  const auto answer = keys_.verify(*token);
  if (answer == KeySet::Answer::unknown_key) {
    return {.kind = Judgement::Kind::unknown_key, .text = "token is unverifiable: kid is not a known key"};
  }
  ++signatures_checked_;
  if (answer == KeySet::Answer::bad) return refuse("token signature is invalid");
  const auto claims = parse_claims(token->payload);
  if (!claims) return refuse(claims.error().text);
  const Verdict verdict{.not_before = claims->not_before,
                        .expires_at = claims->expires_at,
                        .permitted = permits(*claims, resource_)};
  // In the order of the reference: time, issuer, permissions.
  const auto in_time = check_time(verdict.not_before, verdict.expires_at, now);
  if (!in_time) return refuse(in_time.error().text);
  const auto issued = check_issuer(*claims, issuer_);
  if (!issued) return refuse(issued.error().text);
  cache_.remember(text, verdict);
  return of_verdict(verdict, now);
}

}  // namespace faas::jwt
