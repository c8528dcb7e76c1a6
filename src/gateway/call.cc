#include "gateway/call.h"

#include <algorithm>
#include <charconv>

namespace faas::gateway {
namespace {

// What a sandboxed page may do: all but act as its origin, which is the gateway's (docs/decisions/0012).
constexpr std::string_view kSandbox =
    "sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox "
    "allow-downloads allow-top-navigation-by-user-activation";
constexpr std::string_view kTimeoutField = "X-Timeout";
// The next hop's limit is to fire later than this one's, which can name what it was.
constexpr Duration kNextHopMargin = std::chrono::seconds(1);
// Tells callers such as a queue that an error is the platform's, and may go away.
constexpr std::string_view kInternalField = "X-OpenFaaS-Internal";
constexpr std::string_view kInternalValue = "gateway";

bool is_token(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, fits);
}

bool ends_with_text(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && http::same_text(text.substr(text.size() - end.size()), end);
}

}  // namespace

bool may_be_page(std::string_view content_type, std::size_t types) {
  if (types != 1) return true;
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  const auto slash = type.find('/');
  if (slash == std::string_view::npos) return true;
  const auto subtype = type.substr(slash + 1);
  const bool known = is_token(type.substr(0, slash)) && is_token(subtype);
  // A list of types, or a wildcard, is for a browser to choose from.
  const bool plain = content_type.find(',') == std::string_view::npos && type.find('*') == type.npos;
  if (!known || !plain || http::same_text(type, "application/unknown")) return true;
  return http::same_text(subtype, "html") || http::same_text(subtype, "xml") ||
         ends_with_text(subtype, "+xml") || http::same_text(subtype, "x-mixed-replace") ||
         http::same_text(subtype, "unknown");
}

Call::Call(http::Exchange& exchange, CallIds& ids, AdminLogin* admin, const CallOptions& options)
    : exchange_(exchange),
      admin_(admin),
      options_(options),
      id_(exchange.request().value(http::FieldId::x_call_id)),
      limit_(options.upstream_timeout),
      believed_(options.proxies != nullptr && options.proxies->trusts(exchange.peer())) {
  if (!fit_call_id(id_)) {
    made_id_ = ids.make();
    id_ = {made_id_.data(), made_id_.size()};
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  const auto end = std::to_chars(start_, start_ + sizeof start_, nanoseconds).ptr;
  start_size_ = static_cast<std::size_t>(end - start_);
  read_limit();
}

Call::~Call() {
  const auto took = Clock::now() - exchange_.began();
  if (function_) {
    function_->meter.finish(code_, took);
    --function_->meter.in_flight;
  }
  const auto& proxies = options_.proxies;
  const bool told = options_.access.format == AccessFormat::json && proxies != nullptr;
  const auto client = told ? proxies->client_of(exchange_.request(), exchange_.peer()) : exchange_.peer();
  log_access(exchange_,
             {.status = code_,
              .took = took,
              .function = function_ ? std::string_view(function_->name) : std::string_view(),
              .call_id = id_,
              .client = client},
             options_.access);
}

void Call::begin(FunctionTable& table, std::shared_ptr<LocalFunction> function) {
  function_ = std::move(function);
  table.begin(function_);
}

void Call::read_limit() {
  const auto asked = exchange_.request().value(kTimeoutField);
  if (asked.empty()) return;
  const auto limit = parse_duration(asked);
  const bool shorter = limit && *limit > Duration::zero() && (limit_ <= Duration::zero() || *limit < limit_);
  if (!shorter) return;
  limit_ = *limit;
  asked_limit_ = true;
}

std::string Call::limit_text() const {
  return (asked_limit_ ? "X-Timeout, " : "upstream_timeout, ") + print_duration(limit_);
}

bool Call::keep_request_field(const http::Field& field) {
  using http::FieldId;
  switch (field.id) {
    case FieldId::x_call_id:
    case FieldId::x_start_time:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_proto:
      return false;
    case FieldId::authorization:
      return admin_ == nullptr || !admin_->is_in(field.value, exchange_.began());
    case FieldId::other:
      if (http::same_text(field.name, kTimeoutField)) return false;
      return believed_ || !tells_sender(field);
    default:
      return true;
  }
}

void Call::add_request_fields(http::HeadWriter& head) {
  head.field("X-Call-Id", id_);
  head.field("X-Start-Time", start());
  // The next hop counts from the head on. It is told a limit only where both begin at once: one that is in
  // the middle of an upload would end too early.
  if (limit_ > Duration::zero() && exchange_.body_complete() && !exchange_.request().upgrade) {
    head.field(kTimeoutField, print_duration(limit_ + kNextHopMargin));
  }
  add_forwarded(head);
}

void Call::add_forwarded(http::HeadWriter& head) {
  const auto& request = exchange_.request();
  const auto peer = exchange_.peer().empty() ? std::string_view("unknown") : exchange_.peer();
  std::string_view host;
  std::string_view proto;
  if (believed_) {
    std::string chain;
    for (const auto& field : request.fields) {
      if (field.id == http::FieldId::x_forwarded_for && !field.value.empty())
        chain.append(field.value).append(", ");
    }
    head.field("X-Forwarded-For", chain.append(peer));
    host = request.value(http::FieldId::x_forwarded_host);
    proto = request.value(http::FieldId::x_forwarded_proto);
  } else {
    head.field("X-Forwarded-For", peer);
  }
  if (host.empty()) host = request.host;
  if (!host.empty()) head.field("X-Forwarded-Host", host);
  head.field("X-Forwarded-Proto", proto.empty() ? "http" : proto);
}

bool Call::keep_response_field(const http::Field& field) {
  // A function's errors are its own. What its watchdog says of itself passes.
  return !http::same_text(field.name, kInternalField) || !http::same_text(field.value, kInternalValue);
}

void Call::add_response_fields(http::Exchange& exchange, const http::ResponseHead& head) {
  // A function that sends these itself knows better.
  if (!head.has(http::FieldId::x_call_id)) exchange.field("X-Call-Id", id_);
  if (!head.has(http::FieldId::x_start_time)) exchange.field("X-Start-Time", start());
  if (!options_.sandbox_pages || admin_ == nullptr) return;
  const bool no_page = head.status < 200 || head.status == 204 || head.status / 100 == 3;
  if (no_page) return;
  const auto types = std::ranges::count_if(
      head.fields, [](const http::Field& field) { return field.id == http::FieldId::content_type; });
  if (may_be_page(head.value(http::FieldId::content_type), static_cast<std::size_t>(types))) {
    exchange.field("Content-Security-Policy", kSandbox);
  }
}

Task<> Call::refuse(int status, std::string line) {
  code_ = status;
  line.push_back('\n');
  exchange_.head(status).field("Content-Type", "text/plain; charset=utf-8").field("X-Call-Id", id_);
  exchange_.field("X-Start-Time", start()).field(kInternalField, kInternalValue);
  if (status == 503) exchange_.field("Retry-After", "1");
  auto sent = co_await exchange_.send(line);
  if (!sent) code_ = kClientGone;
}

}  // namespace faas::gateway
