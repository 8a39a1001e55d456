//! Who monctl is to a Grafana: whether a login is good, a service account of few rights with one token, and the
//! administrator's password.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GrafanaClient, is_bad_token};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The service account for daily work.
const ACCOUNT: &str = "monctl";
/// An Editor may read data sources, and write folders, dashboards and annotations. More is not needed every day.
const ROLE: &str = "Editor";
/// Names of its tokens begin so; they are unique in all of a Grafana's organization.
const TOKEN: &str = "monctl-";

#[derive(Deserialize)]
struct Account {
    id: i64,
    name: String,
    role: String,
}

#[derive(Deserialize)]
struct Token {
    id: i64,
    name: String,
}

impl GrafanaClient {
    /// Whether Grafana takes the login. A wrong password is tried once.
    ///
    /// # Errors
    /// When Grafana does not answer.
    pub async fn is_accepted(&self) -> Result<bool> {
        Ok(self.check().await?.is_none())
    }

    /// Why Grafana does not take the login; `None` where it does. A wrong password is tried once.
    ///
    /// # Errors
    /// When Grafana does not answer.
    pub async fn check(&self) -> Result<Option<Error>> {
        // Where anonymous access is on, other addresses take wrong credentials for none. To a good token Grafana 9 says
        // 404 here, since a token belongs to a service account.
        let answer = self.http.get("/api/user").await?;
        let refused = answer.status == 401 || is_bad_token(&answer);
        Ok(refused.then(|| self.refusal(&answer, "let monctl in")))
    }

    /// Makes a token of monctl's own service account, which comes into being with the first one; the tokens before it
    /// end. Needs an administrator's login.
    ///
    /// # Errors
    /// When Grafana refuses one of the steps or does not answer.
    pub async fn make_token(&self) -> Result<Secret> {
        let account = self.account().await?;
        let tokens = format!("/api/serviceaccounts/{}/tokens", account.id);
        let before: Vec<Token> = match self.read(&tokens).await? {
            Some(answer) => answer.json()?,
            None => Vec::new(),
        };
        let name = format!("{TOKEN}{}", &Secret::random()?.expose()[..8]);
        let answer = self.http.post(&tokens, &json!({"name": name})).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "make a token"));
        }
        let made: Value = answer.json()?;
        for old in before.iter().filter(|token| token.name.starts_with(TOKEN)) {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "one that stays is of no use to anybody: its key is known nowhere"
            )]
            let _ = self.http.delete(&format!("{tokens}/{}", old.id)).await;
        }
        let key = made["key"].as_str().filter(|key| !key.is_empty());
        Ok(Secret::new(key.ok_or_else(|| Error::failed("grafana made a token and did not show its key"))?))
    }

    /// The service account, with the rights that it needs and no more.
    async fn account(&self) -> Result<Account> {
        if let Some(account) = self.find_account().await? {
            if account.role != ROLE {
                let path = format!("/api/serviceaccounts/{}", account.id);
                let answer = self.http.patch(&path, &json!({"role": ROLE})).await?;
                if !answer.is_success() {
                    return Err(self.refusal(&answer, "give the service account `monctl` its role"));
                }
            }
            return Ok(account);
        }
        let answer = self.http.post("/api/serviceaccounts", &json!({"name": ACCOUNT, "role": ROLE})).await?;
        if answer.is_success() {
            return answer.json();
        }
        // Another run may have been first, which an answer of 400 or 409 does not tell from other reasons.
        let refusal = self.refusal(&answer, "make the service account `monctl`");
        self.find_account().await?.ok_or(refusal)
    }

    async fn find_account(&self) -> Result<Option<Account>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            service_accounts: Vec<Account>,
        }
        let Some(answer) = self.read(&format!("/api/serviceaccounts/search?query={ACCOUNT}")).await? else {
            return Ok(None);
        };
        let found: Found = answer.json()?;
        Ok(found.service_accounts.into_iter().find(|account| account.name == ACCOUNT))
    }

    /// Gives the user who logs in another password.
    ///
    /// # Errors
    /// When Grafana refuses it. Where no answer comes, it may have been changed or not.
    pub async fn change_password(&self, from: &Secret, to: &Secret) -> Result<()> {
        let (from, to) = (from.expose(), to.expose());
        let body = json!({"oldPassword": from, "newPassword": to, "confirmNew": to});
        let answer = self.http.put("/api/user/password", &body).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, "change the password")) }
    }
}
