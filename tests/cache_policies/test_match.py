"""Conditions of rules: a table for each, and paths that are spelt oddly."""

import posixpath
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.load import load_policies
from cache_policies.match import (
    Conditions,
    compile_match,
    literal_path,
    plain_host,
    plain_path,
    widest_path,
)
from cache_policies.message import RequestHead, ResponseHead
from tests.support.table import fields, table


def conditions(match: str) -> Conditions:
    text = f"rules: [{{name: a, match: {{{match}}}, set: {{ttl: 1s}}}}]"
    return compile_match(load_policies(text.encode(), "f").document.rules[0].match)


@pytest.mark.parametrize(
    "case",
    table("""
    target                   path
    /a/b?c=/../d             /a/b
    /%61%2Fb                 /a/b
    //a///b                  /a/b
    /a/./b/../c              /a/c
    /a/..                    /
    /../../a                 /a
    /a/%2e%2e/b              /b
    /a/.                     /a/
    /a/b/..                  /a/
    /.well-known/x           /.well-known/x
    /a%zz                    /a%zz
    /                        /
"""),
    ids=str,
)
def test_a_path_is_seen_in_its_plain_spelling(case):
    assert plain_path(case["target"].encode()) == case["path"].encode()


@pytest.mark.parametrize(
    "case",
    table("""
    target                   path
    /a/b?c=/../d             /a/b
    /%2561%25252Fb           /a/b
    /x\\..\\a/b              /a/b
    /x/..;v=1/a;b/c          /a/c
    /x/%2e%2e%3b/a           /a
    /a%2500.m4s              /a
    /a%3f.m4s                /a
    /a%2523/b                /a
    //a/.//b                 /a/b
"""),
    ids=str,
)
def test_a_path_is_seen_as_lenient_origins_might(case):
    target = case["target"].replace("\\\\", "\\").encode()
    assert widest_path(target) == case["path"].encode()


@given(st.lists(st.sampled_from(["a", "b", ".", "..", "", "%2e", "%61"]), max_size=8))
def test_paths_that_all_read_alike_are_seen_alike(segments):
    target = ("/" + "/".join(segments)).encode()
    assert widest_path(target) == plain_path(target)


@given(st.lists(st.sampled_from(["a", "b", ".", "..", "", "%2e", "%61"]), max_size=8))
def test_plain_paths_are_those_of_the_standard_library(segments):
    target = ("/" + "/".join(segments)).encode()
    plain = unquote_to_bytes(target)
    expected = b"/" + posixpath.normpath(plain).lstrip(b"/")
    assert plain_path(target).rstrip(b"/") == expected.rstrip(b"/")
    assert plain_path(quote(plain_path(target)).encode()) == plain_path(target)


@pytest.mark.parametrize(
    "case",
    table("""
    target                   path
    /a/b?c=/../d             /a/b
    /%61%2fb                 /a%2Fb
    //a///b                  //a///b
    /a//../b                 /a/b
    /a%2f..%2fb/c            /a%2F..%2Fb/c
    /a/%2e%2e/b              /b
    /a/..                    /
    /                        /
"""),
    ids=str,
)
def test_a_path_to_the_letter(case):
    assert literal_path(case["target"].encode()) == case["path"].encode()


def test_a_host_is_seen_without_case_and_port():
    assert plain_host(b"CDN.Example:8080") == b"cdn.example"
    assert plain_host(b"[::1]:80") == b"[::1]"
    assert plain_host(b"[::1]") == b"[::1]"


@pytest.mark.parametrize(
    "case",
    table("""
    match                               request                    response                   holds
    -                                   GET h /a                   200                        yes
    host: '*.example.com'               GET a.example.com /a       200                        yes
    host: '*.Example.com'               GET A.EXAMPLE.COM:81 /a    200                        yes
    host: '*.example.com'               GET example.com /a         200                        no
    host: [a, b]                        GET b /a                   200                        yes
    path: /vod/*                        GET h /vod/a/b?c           200                        yes
    path: /vod/*                        GET h /%76od/a             200                        yes
    path: /vod/*                        GET h /VOD/a               200                        no
    path: ['*.ts', '*.m4s']             GET h /a.m4s?x=.ts         200                        yes
    path: '*.ts'                        GET h /a.m4s?x=.ts         200                        no
    method: [GET, HEAD]                 HEAD h /a                  200                        yes
    method: POST                        GET h /a                   200                        no
    request_fields: {cookie: true}      GET h /a cookie: x         200                        yes
    request_fields: {cookie: true}      GET h /a                   200                        no
    request_fields: {cookie: false}     GET h /a cookie: x         200                        no
    request_fields: {cookie: false}     GET h /a                   200                        yes
    request_fields: {Cookie: '*sid=*'}  GET h /a cookie: a; sid=1  200                        yes
    request_fields: {cookie: '*sid=*'}  GET h /a cookie: a         200                        no
    request_fields: {a: [x, y], b: 1}   GET h /a a: y | b: 1       200                        yes
    request_fields: {a: [x, y], b: 1}   GET h /a a: y              200                        no
    status: 4xx                         GET h /a                   404                        yes
    status: 400-403                     GET h /a                   404                        no
    status: [200, 404]                  GET h /a                   404                        yes
    content_type: video/*               GET h /a                   200 content-type: Video/A  yes
    content_type: video/*               GET h /a                   200                        no
    response_fields: {etag: true}       GET h /a                   200 etag: a                yes
    response_fields: {etag: true}       GET h /a                   200                        no
    path: /a, status: 200               GET h /b                   200                        no
"""),
    ids=str,
)
def test_all_that_a_rule_names_must_hold(case):
    compiled = conditions(case["match"])
    method, host, target, *rest = case["request"].split(" ", 3)
    request = RequestHead(
        method.encode(), b"http", host.encode(), target.encode(), fields("".join(rest))
    )
    status, _, text = case["response"].partition(" ")
    response = ResponseHead(int(status), fields(text))
    held = compiled.hold_of_request(
        request, plain_host(request.host), plain_path(request.target)
    ) and compiled.hold_of_response(response)
    assert held is (case["holds"] == "yes")
