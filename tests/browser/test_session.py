"""Signing in and out."""

import re

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import Console, sign_in


def test_a_wrong_password_is_refused_in_words_and_keeps_the_name(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login\?next=%2F$"))
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status").first).to_contain_text(re.compile("password|name", re.IGNORECASE))
    expect(page.get_by_label("User name")).to_have_value("admin")
    expect(page.get_by_label("Password")).to_have_value("")


def test_signing_in_leads_to_where_one_wanted_to_be_and_out_again(
    visitor: BrowserContext, console: Console
) -> None:
    page = visitor.new_page()
    sign_in(page, console, "/downloads?tab=queue")
    expect(page).to_have_url(re.compile(r"/downloads\?tab=queue$"))
    page.get_by_label("Account of admin").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/login"))
    page.goto("/jobs")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fjobs$"))


def test_sign_in_leads_nowhere_else(visitor: BrowserContext, console: Console) -> None:
    page = visitor.new_page()
    sign_in(page, console, "/login?next=https%3A%2F%2Fexample.com%2F")
    assert page.url == f"{console.address}/"
