// An intrusive list: whoever waits is a node of what it waits for, and leaves by being destroyed.
#pragma once

namespace faas::net {

struct Node {
  Node* previous = nullptr;
  Node* next = nullptr;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() { unlink(); }

  [[nodiscard]] bool linked() const { return next != nullptr; }
  void unlink() {
    if (next == nullptr) return;
    previous->next = next;
    next->previous = previous;
    previous = next = nullptr;
  }
};

/// A ring of nodes around itself; does not own them.
template <class T>
class List final {
 public:
  List() { head_.previous = head_.next = &head_; }
  ~List() {
    while (!empty()) front().unlink();
    head_.previous = head_.next = nullptr;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  [[nodiscard]] bool empty() const { return head_.next == &head_; }
  T& front() { return static_cast<T&>(*head_.next); }
  T& back() { return static_cast<T&>(*head_.previous); }
  /// For walking: null at the end.
  T* first() { return empty() ? nullptr : &front(); }
  T* after(T& node) { return node.next == &head_ ? nullptr : static_cast<T*>(node.next); }
  void push_back(T& node) {
    node.unlink();
    node.previous = head_.previous;
    node.next = &head_;
    head_.previous->next = &node;
    head_.previous = &node;
  }
  /// Moves every node of `other` to the end of this one.
  void take_all(List& other) {
    while (!other.empty()) push_back(other.front());
  }

 private:
  Node head_;
};

}  // namespace faas::net
